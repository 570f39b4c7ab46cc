/** Puts described routers in the place of a model's own. */
import { loadBlocks, type Blocks } from '../../blocks/table.ts';
import type { ModelFamily } from '../../blocks/family.ts';
import { SharedRouting } from '../../blocks/described/model-nodes.ts';
import type { DescribedScoreSpec } from '../../blocks/routers/described.ts';
import { LayerTensors, type HostTensor } from '../../blocks/described/tensors.ts';
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { mostOf } from '../../models/layer/check.ts';
import { parseLayer, type LayerDescription } from '../../models/layer/layer.ts';
import { isMoe, type ModelSpec, type MoeSpec, type SublayerSpec } from '../../models/spec.ts';
import type { LayerRouting } from '../api.ts';
import { checkFits, refused } from './described-fit.ts';

/** A model whose routers may be replaced. */
export interface RoutedModel {
  readonly family: ModelFamily;
  readonly spec: ModelSpec;
  readonly blocks: Blocks;
}

/** A layer with experts that has a description. */
interface DescribedLayer {
  readonly layer: number; // among all layers of the model
  readonly bank: number; // among those with experts
  readonly description: LayerDescription;
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
  const described = readLayers(spec, routing);
  checkTogether(described.values());
  const reader = new RouterTensors(checkpoint);
  const shared = new SharedRouting();
  const deciding = [...described.values()].find(
    ({ description }) => description.router?.scope.decision === 'model',
  );
  shared.deciding = deciding?.bank;
  const replaced: string[] = [];
  const withRouter = async (sublayer: SublayerSpec): Promise<SublayerSpec> => {
    const { block } = sublayer;
    const own = described.get(sublayer);
    if (!isMoe(block) || !own) return sublayer;
    replaced.push(...textsOf(block.router));
    const score = { ...(await scoreOf(own, block, reader)), shared, vocab: spec.vocab };
    const routed: MoeSpec = { ...block, router: { score, select: { kind: 'topK', k: score.most } } };
    return { ...sublayer, block: routed };
  };
  const layers = await Promise.all(
    spec.layers.map(async (layer) => ({
      ...layer,
      sublayers: await Promise.all(layer.sublayers.map(withRouter)),
    })),
  );
  // The tensors of the model's own routers are there, and may not be used; those of descriptions are not left over.
  const routed = { ...spec, layers, skipped: [...(spec.skipped ?? []), ...replaced, ...reader.names] };
  return { ...model, spec: routed, blocks: await loadBlocks(routed, family.blocks) };
}

/** The descriptions of a model's sublayers with experts. */
function readLayers(spec: ModelSpec, routing: LayerRouting): ReadonlyMap<SublayerSpec, DescribedLayer> {
  const described = new Map<SublayerSpec, DescribedLayer>();
  let bank = -1;
  for (const [layer, { sublayers }] of spec.layers.entries()) {
    for (const sublayer of sublayers) {
      if (!isMoe(sublayer.block)) continue;
      bank += 1;
      const given = descriptionFor(routing, layer);
      if (given === undefined || given === null) continue;
      const description = parseLayer(given);
      const { experts } = sublayer.block;
      checkFits(description, { experts, layer, hidden: spec.hidden });
      described.set(sublayer, { layer, bank, description });
    }
  }
  if (Array.isArray(routing) && routing.length > spec.layers.length)
    throw refused(`${routing.length} descriptions are given; the model has ${spec.layers.length} layers`);
  if (described.size === 0)
    throw refused('no layer has a description: the model has no routed experts, or none was given');
  return described;
}

function descriptionFor(routing: LayerRouting, layer: number): unknown {
  if (typeof routing === 'function') return routing(layer);
  return Array.isArray(routing) ? (routing as readonly unknown[])[layer] : routing;
}

async function scoreOf(
  { layer, bank, description }: DescribedLayer,
  { experts }: MoeSpec,
  reader: RouterTensors,
): Promise<Omit<DescribedScoreSpec, 'shared' | 'vocab'>> {
  const { router, hooks } = description;
  if (!router) throw refused('router is missing');
  const tensors = await reader.read(router, experts, layer);
  const most = mostOf(description);
  return { kind: 'described', router, ...(hooks && { hooks }), tensors, layer, bank, most };
}

/** A state goes from layer to layer, and a decision of the model is made once: what they share has to be the same. */
function checkTogether(all: Iterable<DescribedLayer>): void {
  const sizes = new Map<string, { readonly size: number; readonly layer: number }>();
  let decided: { readonly text: string; readonly layer: number } | undefined;
  for (const { layer, description } of all) {
    const { router, experts, most, hooks } = description;
    const { state } = router ?? {};
    const before = state && sizes.get(state.name);
    if (state && before && before.size !== state.size) {
      throw refused(
        `router.state.size is ${state.size} in layer ${layer}, and ${before.size} for "${state.name}" in layer ${before.layer}`,
      );
    }
    if (state) sizes.set(state.name, { size: state.size, layer });
    if (router?.scope.decision !== 'model') continue;
    const text = JSON.stringify([experts, most, router, hooks]);
    if (decided && decided.text !== text) {
      throw refused(
        `router.scope.decision is "model", and layer ${layer} has another router than layer ${decided.layer}, which decides`,
      );
    }
    decided ??= { text, layer };
  }
}

/** The tensors of a checkpoint that routers name; each is read once. */
class RouterTensors {
  readonly #checkpoint: Checkpoint;
  readonly #read = new Map<string, Promise<HostTensor>>();

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint;
  }

  /** Those that were read. */
  get names(): Iterable<string> {
    return this.#read.keys();
  }

  async read(router: unknown, experts: number, layer: number): Promise<LayerTensors> {
    const checkpoint = this.#checkpoint;
    const named = textsOf(router).map((text) => text.replaceAll('{layer}', String(layer)));
    const names = named.flatMap((name) =>
      name.includes('{expert}')
        ? Array.from({ length: experts }, (_, e) => name.replaceAll('{expert}', String(e)))
        : [name],
    );
    const found = [...new Set(names)].filter((name) => checkpoint.tensor(name) !== undefined);
    const tensors = await Promise.all(found.map(async (name) => [name, await this.#tensor(name)] as const));
    return new LayerTensors(checkpoint.label, new Map(tensors));
  }

  #tensor(name: string): Promise<HostTensor> {
    const known = this.#read.get(name);
    if (known) return known;
    const shape = this.#checkpoint.tensor(name)?.shape ?? [];
    const tensor = this.#checkpoint.readF32(name).then((values) => ({ shape, values }));
    this.#read.set(name, tensor);
    return tensor;
  }
}

/** Every text in a value. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}
