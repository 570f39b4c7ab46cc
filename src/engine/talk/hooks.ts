/** Hooks of a request: checked against the model, and as the inputs of its steps. Loaded with the first request that has any. */
import { AtomoeError } from '../../errors.ts';
import type { Blocks } from '../../blocks/table.ts';
import { FREE_TOKEN, hooksSize, packChoice, packEdits } from '../../graph/ops/hooks.ts';
import {
  choice,
  either,
  integer,
  list,
  number,
  optional,
  record,
  under,
  wrong,
} from '../../models/layer/fields.ts';
import type { Field } from '../../models/layer/fields.ts';
import { isMoe, type ModelSpec, type MoeSpec } from '../../models/spec.ts';
import type { ExpertNumbers, LayerHooks, RouteReplay, RoutingHooks, TokenRoutes } from '../api.ts';
import type { LayerInputs, StepHooks } from '../run/hooks.ts';
import { ownHooks, ownReplay } from './own-numbers.ts';

/** The model that hooks are for. */
export interface HookedModel {
  readonly spec: Pick<ModelSpec, 'layers' | 'vocab'>;
  readonly blocks: Pick<Blocks, 'router'>;
  readonly lossy: { readonly skipBelow: number };
  readonly numbers?: ExpertNumbers | undefined; // of pruned models
}

const layerHooks = record({
  bias: optional(list(number())),
  steer: optional(
    record({
      experts: list(integer(), 1),
      mode: optional(choice('soft', 'hard'), 'soft'),
      strength: optional(number()),
      epsilon: optional(number(), 1e-3),
      deviation: optional(choice('sample', 'population'), 'sample'),
    }),
  ),
  mask: optional(list(integer())),
  ranks: optional(list(integer(), 1)),
});

const nothing: Field<null> = { read: () => null };

const hooksField = record({
  all: optional(layerHooks),
  layers: optional(
    list(
      either<LayerHooks | null>((value) => (value === null ? nothing : (layerHooks as Field<LayerHooks>))),
    ),
  ),
  replay: optional(
    record({
      trace: record({
        from: optional(integer(), 0),
        tokens: list(record({ ids: list(list(integer())), weights: optional(list(list(number()))) })),
      }),
      weights: optional(choice('recompute', 'recorded'), 'recompute'),
    }),
  ),
});

/** A layer with experts, as far as hooks look at it. */
interface Layer {
  readonly bank: number;
  readonly specLayer: number;
  readonly experts: number;
  readonly topK: number;
  readonly takesHooks: boolean;
  readonly router: string; // its kind
  readonly weighsInputs: boolean; // what a trace has no weights of
}

/**
 * The hooks of a request for a model.
 *
 * @throws {AtomoeError} bad-input - names the JSON path, or the router that takes no hooks
 */
export function readHooks(given: unknown, model: HookedModel): StepHooks {
  const hooks = hooksField.read(given, 'hooks') as RoutingHooks;
  const { numbers } = model;
  const layers = layersOf(model);
  if (hooks.layers && hooks.layers.length !== layers.length) wrongCount('hooks.layers', hooks.layers, layers);
  const own = layers.map((layer) => {
    const { bank } = layer;
    const given = hooks.layers?.[bank] ?? hooks.all ?? {};
    const path = hooks.layers?.[bank] ? under('hooks.layers', bank) : 'hooks.all';
    if (Object.keys(given).length > 0 || hooks.replay) checkTakesHooks(layer);
    const of = numbers ? ownHooks(given, numbers, { bank, path }) : given;
    checkLayer(of, layer, path, hooks.replay);
    return of;
  });
  const replay = hooks.replay && numbers ? ownReplay(hooks.replay, numbers) : hooks.replay;
  if (replay) checkReplay(replay, layers, own, model);
  const edited = layers.filter(({ bank }) => hasEdits(own[bank] ?? {}));
  return {
    editedBanks: new Set(edited.map(({ bank }) => bank)),
    layers: layers.map((layer) => inputsOf(own[layer.bank] ?? {}, layer, replay)),
    ...(replay ? { replay: replayOf(replay, layers), known: knownOf(replay) } : {}),
  };
}

function layersOf({ spec, blocks }: HookedModel): Layer[] {
  const moes = spec.layers.flatMap(({ sublayers }, specLayer) =>
    sublayers.flatMap(({ block }) => (isMoe(block) ? [{ specLayer, moe: block }] : [])),
  );
  return moes.map(({ specLayer, moe }, bank) => ({ bank, specLayer, ...factsOf(moe, blocks) }));
}

function factsOf({ experts, router }: MoeSpec, blocks: Pick<Blocks, 'router'>) {
  const { takesHooks = false, most, kind } = blocks.router(router);
  const weighsInputs = router.weigh?.on === 'input';
  return { experts, topK: most(router), takesHooks, router: kind, weighsInputs };
}

function hasEdits({ bias, steer, mask }: LayerHooks): boolean {
  return bias !== undefined || steer !== undefined || (mask?.length ?? 0) > 0;
}

function checkTakesHooks({ specLayer, router, takesHooks }: Layer): void {
  if (takesHooks) return;
  throw new AtomoeError(
    'bad-input',
    `hooks: the router of layer ${specLayer} is "${router}", whose choice hooks cannot change; ` +
      'choose a model with linear routers, or ask for its trace only',
  );
}

function checkLayer(hooks: LayerHooks, layer: Layer, path: string, replay: RouteReplay | undefined): void {
  const { experts, topK } = layer;
  const { bias, steer, mask = [], ranks } = hooks;
  if (bias && bias.length !== experts) {
    wrongList(under(path, 'bias'), bias, `${experts} numbers, one for each expert`);
  }
  checkIds(mask, experts, under(path, 'mask'));
  if (steer) checkIds(steer.experts, experts, under(path, 'steer.experts'));
  if (steer?.mode === 'soft' && steer.strength === undefined) {
    wrong(under(path, 'steer.strength'), undefined, 'a number');
  }
  if (!ranks) return;
  const at = under(path, 'ranks');
  if (replay) wrongList(at, ranks, 'none beside hooks.replay, which takes the place of the choice');
  if (ranks.length > topK) wrongList(at, ranks, `at most ${topK}, the experts of a token`);
  checkIds(ranks, experts, at, 'a rank');
  checkEachOnce(ranks, at, 'each rank once');
}

function checkReplay(
  { trace, weights }: RouteReplay,
  layers: readonly Layer[],
  own: readonly LayerHooks[],
  { lossy }: HookedModel,
): void {
  if (lossy.skipBelow > 0) {
    wrong('hooks.replay', lossy.skipBelow, 'a model without lossy.skipBelow: traces lack what it leaves out');
  }
  const weighsInputs = layers.find((layer) => layer.weighsInputs);
  if (weights === 'recorded' && weighsInputs) {
    const what = `"recompute": layer ${weighsInputs.specLayer} weights the inputs of experts, which traces do not have`;
    wrong('hooks.replay.weights', weights, what);
  }
  for (const [token, { ids, weights: recorded }] of trace.tokens.entries()) {
    const path = `hooks.replay.trace.tokens.${token}`;
    if (ids.length !== layers.length) wrongCount(under(path, 'ids'), ids, layers);
    for (const layer of layers) {
      const chosen = ids[layer.bank] ?? [];
      checkChosen(chosen, layer, own[layer.bank]?.mask ?? [], under(path, `ids.${layer.bank}`));
      if (weights !== 'recorded') continue;
      const given = recorded?.[layer.bank];
      if (given?.length === chosen.length) continue;
      const what = `${chosen.length} numbers, one for each id`;
      wrong(under(path, `weights.${layer.bank}`), given, what);
    }
  }
}

function checkChosen(
  ids: readonly number[],
  { experts, topK }: Layer,
  mask: readonly number[],
  path: string,
): void {
  if (ids.length > topK) wrongList(path, ids, `at most ${topK}, the experts of a token`);
  checkIds(ids, experts, path);
  checkEachOnce(ids, path, 'each expert once');
  const at = ids.findIndex((id) => mask.includes(id));
  if (at >= 0) wrong(under(path, at), ids[at], 'an expert that the mask of the layer allows');
}

function checkIds(ids: readonly number[], experts: number, path: string, what = 'an expert'): void {
  const at = ids.findIndex((id) => id >= experts);
  if (at >= 0) wrong(under(path, at), ids[at], `${what} of 0 to ${experts - 1}`);
}

function checkEachOnce(values: readonly number[], path: string, wanted: string): void {
  const at = values.findIndex((value, index) => values.indexOf(value) !== index);
  if (at >= 0) wrong(under(path, at), values[at], wanted);
}

function wrongCount(path: string, values: readonly unknown[], layers: readonly Layer[]): never {
  return wrongList(path, values, `${layers.length} entries, one for each layer with experts`);
}

function wrongList(path: string, values: readonly unknown[], wanted: string): never {
  throw new AtomoeError('bad-input', `${path} is a list of ${values.length}; wanted ${wanted}`);
}

function inputsOf(hooks: LayerHooks, layer: Layer, replay: RouteReplay | undefined): LayerInputs | undefined {
  const { takesHooks, experts } = layer;
  if (!takesHooks) return undefined;
  const { bias, mask, ranks, steer } = hooks;
  const { mode = 'soft', strength = 1, epsilon = 1e-3, deviation = 'sample' } = steer ?? {};
  const steered = steer && { experts: steer.experts, mode, strength, epsilon, deviation };
  const replays = { replays: replay !== undefined, replaysWeights: replay?.weights === 'recorded' };
  return {
    edits: packEdits({ bias, mask, steer: steered }, experts),
    choice: packChoice({ ranks, ...replays }, layer),
  };
}

/** Words of the tokens of a step, as the hooked gate reads them. */
function replayOf(
  { trace: { from = 0, tokens: routes } }: RouteReplay,
  layers: readonly Layer[],
): NonNullable<StepHooks['replay']> {
  return (bank, past, tokens) => {
    const layer = layers[bank];
    const { experts = 0, topK = 0 } = layer ?? {};
    const { perToken } = hooksSize({ experts, topK });
    const words = new Uint32Array(perToken * tokens);
    for (let token = 0; token < tokens; token += 1) {
      const own = routes[past + token - from];
      putRoutes(words.subarray(token * perToken, (token + 1) * perToken), own, { bank, experts, topK });
    }
    return words;
  };
}

function knownOf({ trace: { from = 0, tokens } }: RouteReplay): NonNullable<StepHooks['known']> {
  return (bank, position) => tokens[position - from]?.ids[bank];
}

/** The ids of a token, then the bits of its weights; a token that is not in the trace chooses for itself. */
function putRoutes(
  words: Uint32Array<ArrayBuffer>,
  routes: Partial<TokenRoutes> | undefined,
  { bank, experts, topK }: { readonly bank: number; readonly experts: number; readonly topK: number },
): void {
  words.fill(routes ? experts : FREE_TOKEN, 0, topK);
  words.set(routes?.ids?.[bank] ?? []);
  new Float32Array(words.buffer, words.byteOffset + 4 * topK, topK).set(routes?.weights?.[bank] ?? []);
}
