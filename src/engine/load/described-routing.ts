/** Puts described routers in the place of a model's own. */
import { loadBlocks, type Blocks } from '../../blocks/table.ts';
import type { ModelFamily } from '../../blocks/family.ts';
import type { DescribedScoreSpec } from '../../blocks/routers/described.ts';
import { LayerTensors, type HostTensor } from '../../blocks/described/tensors.ts';
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { AtomoeError } from '../../errors.ts';
import { mostOf, seesOf } from '../../models/layer/check.ts';
import { parseLayer, type LayerDescription } from '../../models/layer/layer.ts';
import { isMoe, type ModelSpec, type MoeSpec } from '../../models/spec.ts';
import type { LayerRouting } from '../api.ts';

/** A model whose routers may be replaced. */
export interface RoutedModel {
  readonly family: ModelFamily;
  readonly spec: ModelSpec;
  readonly blocks: Blocks;
}

/**
 * The model with the routers of descriptions in the layers for which there is one.
 *
 * @throws {AtomoeError} bad-input - a description is wrong, or not one for a layer of this model that is run token by token
 */
export async function withRouting(
  model: RoutedModel,
  routing: LayerRouting,
  checkpoint: Checkpoint,
): Promise<RoutedModel> {
  const { spec, family } = model;
  const replaced: string[] = [];
  const layers = await Promise.all(
    spec.layers.map(async (layer, index) => ({
      ...layer,
      sublayers: await Promise.all(
        layer.sublayers.map(async (sublayer) => {
          const { block } = sublayer;
          const given = isMoe(block) ? descriptionFor(routing, index) : undefined;
          if (!isMoe(block) || given === undefined || given === null) return sublayer;
          replaced.push(...textsOf(block.router));
          const router = await describedRouter(given, block, { index, hidden: spec.hidden, checkpoint });
          return { ...sublayer, block: { ...block, router } };
        }),
      ),
    })),
  );
  if (Array.isArray(routing) && routing.length > spec.layers.length)
    throw refused(`${routing.length} descriptions are given; the model has ${spec.layers.length} layers`);
  if (replaced.length === 0)
    throw refused('no layer has a description: the model has no routed experts, or none was given');
  // The tensors of the model's own routers are there, and may not be used.
  const routed = { ...spec, layers, skipped: [...(spec.skipped ?? []), ...replaced] };
  return { ...model, spec: routed, blocks: await loadBlocks(routed, family.blocks) };
}

function descriptionFor(routing: LayerRouting, layer: number): unknown {
  if (typeof routing === 'function') return routing(layer);
  return Array.isArray(routing) ? (routing as readonly unknown[])[layer] : routing;
}

async function describedRouter(
  given: unknown,
  moe: MoeSpec,
  place: { readonly index: number; readonly hidden: number; readonly checkpoint: Checkpoint },
): Promise<MoeSpec['router'] & { readonly score: DescribedScoreSpec }> {
  const description = parseLayer(given);
  const { router, hooks } = description;
  checkFits(description, moe, place);
  if (!router) throw refused('router is missing');
  const tensors = new LayerTensors(place.checkpoint.label, await tensorsOf(router, moe.experts, place));
  const most = mostOf(description);
  return {
    score: { kind: 'described', router, ...(hooks && { hooks }), tensors, layer: place.index, most },
    select: { kind: 'topK', k: most },
  };
}

/** Experts are the model's, text comes token by token, and a request has nothing else. */
function checkFits(
  { hiddenSize, experts, router, expert, shared, pattern, hooks }: LayerDescription,
  moe: MoeSpec,
  { index, hidden }: { readonly index: number; readonly hidden: number },
): void {
  if (hiddenSize !== hidden)
    throw refused(`hiddenSize is ${hiddenSize}; layer ${index} of the model has ${hidden}`);
  if (experts !== moe.experts)
    throw refused(`experts is ${experts}; layer ${index} of the model has ${moe.experts}`);
  const own = { expert, pattern: pattern.kind === 'single' ? undefined : pattern, shared: shared[0] };
  const other = Object.entries(own).find(([, value]) => value !== undefined);
  if (other)
    throw refused(`${other[0]} is given; the experts of the model run, and only its router is replaced`);
  if (!router) return;
  const requested = hooks?.bias !== undefined ? 'bias' : hooks?.replay && 'replay';
  if (requested)
    throw refused(`hooks.${requested} is given, which names a tensor of a request; text has none`);
  const sees = seesOf(router);
  if (sees !== 'token') {
    throw refused(
      `router.scope.sees is "${sees}"; text is written token by token, so that only "token" can be run`,
    );
  }
  const { scope, state, weigh, score } = router;
  if (scope.decision !== 'layer')
    throw refused(`router.scope.decision is "${scope.decision}"; wanted "layer"`);
  if (state) throw refused('router.state is given; a state over layers is not carried in models');
  if (weigh.apply !== 'output')
    throw refused('router.weigh.apply is not "output", as the experts of models need it');
  if (weigh.combine !== 'add') throw refused(`router.weigh.combine is "${weigh.combine}"; wanted "add"`);
  if (score.kind === 'productKeys' || score.kind === 'random') {
    throw refused(`router.score.kind is "${score.kind}", which is not run in models`);
  }
}

function refused(what: string): AtomoeError {
  return new AtomoeError('bad-input', `routing: ${what}; choose another description`);
}

/** The tensors of the checkpoint that a router names. */
async function tensorsOf(
  router: LayerDescription['router'],
  experts: number,
  { index, checkpoint }: { readonly index: number; readonly checkpoint: Checkpoint },
): Promise<ReadonlyMap<string, HostTensor>> {
  const named = textsOf(router).map((text) => text.replaceAll('{layer}', String(index)));
  const names = named.flatMap((name) =>
    name.includes('{expert}')
      ? Array.from({ length: experts }, (_, e) => name.replaceAll('{expert}', String(e)))
      : [name],
  );
  const found = [...new Set(names)].filter((name) => checkpoint.tensor(name) !== undefined);
  const read = async (name: string) =>
    [name, { shape: checkpoint.tensor(name)?.shape ?? [], values: await checkpoint.readF32(name) }] as const;
  return new Map(await Promise.all(found.map(read)));
}

/** Every text in a value. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}
