import type { ConfigReader } from '../config.ts';
import type { StateSpaceSpec } from '../spec.ts';
import { linear } from './common.ts';

/** Sizes of the state spaces of a model, and where their biases are. */
export interface MambaSizes extends Pick<
  StateSpaceSpec,
  'heads' | 'dims' | 'groups' | 'states' | 'taps' | 'normGroups'
> {
  readonly bounds?: readonly [lowest: number, highest: number];
  readonly hidden: number;
  readonly convBias: boolean;
  readonly projectionBias: boolean;
}

/** The kinds of a layer's mixer in `layer_types`, which have had several names. */
const KINDS: ReadonlyMap<string, 'recurrent' | 'attention'> = new Map([
  ['mamba', 'recurrent'],
  ['linear_attention', 'recurrent'],
  ['attention', 'attention'],
  ['full_attention', 'attention'],
]);

/** Whether each layer is recurrent, by `layer_types` or its older name, or by a rule where both are absent. */
export function readRecurrentLayers(
  config: ConfigReader,
  layerCount: number,
  rule: (layer: number) => boolean,
): boolean[] {
  const types = config.words('layer_types') ?? config.words('layers_block_type');
  if (!types) return Array.from({ length: layerCount }, (_, layer) => rule(layer));
  if (types.length !== layerCount) {
    throw config.contradiction(
      { key: 'num_hidden_layers', value: layerCount },
      { key: 'the length of layer_types', value: types.length },
    );
  }
  return types.map((type) => {
    const kind = KINDS.get(type) ?? config.unsupported(`layer type "${type}"`, [...KINDS.keys()].join(', '));
    return kind === 'recurrent';
  });
}

/**
 * Reads bounds of dt: two numbers, the second of which may be infinite, which JSON cannot write.
 *
 * @throws {AtomoeError} unsupported-model - other values
 */
export function readTimeStepLimit(config: ConfigReader): readonly [number, number] | undefined {
  const key = 'time_step_limit';
  const given = config.list(key);
  if (!given) return undefined;
  const [lowest, highest] = given.map((value) => (isInfinity(value) ? Infinity : value));
  if (given.length !== 2 || typeof lowest !== 'number' || typeof highest !== 'number' || lowest > highest) {
    return config.unsupported(`${key} ${JSON.stringify(given)}`, 'a lower and an upper bound');
  }
  if (highest !== Infinity) return [lowest, highest];
  if (lowest <= 0) return undefined; // the softplus is above it
  return config.unsupported(`${key} ${JSON.stringify(given)}`, 'both bounds, or none');
}

/** transformers 5 writes infinity as an object. */
function isInfinity(value: unknown): boolean {
  if (value === 'Infinity') return true;
  return typeof value === 'object' && value !== null && Object.entries(value)[0]?.[1] === 'Infinity';
}

/** State spaces under `in_proj`, `conv1d`, `A_log`, `D`, `dt_bias`, `norm`, `out_proj`. */
export function stateSpace(at: string, sizes: MambaSizes): StateSpaceSpec {
  const { hidden, convBias, projectionBias, bounds, ...shape } = sizes;
  const { heads, dims, groups, states } = shape;
  const inner = heads * dims;
  const rows = 2 * inner + 2 * groups * states + heads;
  const bias = (name: string, count: number) =>
    projectionBias ? { bias: [{ tensor: `${at}${name}.bias`, shape: [count] }] } : {};
  return {
    kind: 'stateSpace',
    ...shape,
    ...(bounds ? { bounds } : {}),
    input: { ...linear(hidden, [`${at}in_proj.weight`, rows]), ...bias('in_proj', rows) },
    convolution: { weight: `${at}conv1d.weight`, ...(convBias ? { bias: `${at}conv1d.bias` } : {}) },
    rates: { decay: `${at}A_log`, skip: `${at}D`, bias: `${at}dt_bias` },
    norm: `${at}norm.weight`,
    out: { ...linear(inner, [`${at}out_proj.weight`, hidden]), ...bias('out_proj', hidden) },
  };
}
