/** A token on its way through a routing rule, for the references. */
import type { RouteRule } from './route-rule.ts';

/** What a rule reads besides the scores, by the names of the kernel's bindings. */
export interface RouteInputs {
  readonly vectors?: Float32Array | undefined; // [rows, scored], those of the layer
  readonly request_vectors?: Float32Array | undefined; // [rows, scored], which follow them in number
  readonly token_mask?: Float32Array | undefined; // [tokens, experts]
  readonly given_logits?: Float32Array | undefined; // [tokens, scored]
  readonly group_scores?: Float32Array | undefined; // [tokens, groups]
  readonly given_ids?: Uint32Array | undefined; // [tokens, places]
  readonly importance?: Float32Array | undefined; // [tokens]
  readonly kinds?: Uint32Array | undefined; // [tokens]
  readonly protection?: Uint32Array | undefined; // [tokens]
  readonly verdicts?: Float32Array | undefined; // [tokens, places]
  readonly raw_weights?: Float32Array | undefined; // [tokens, experts] or [tokens, most]
}

/** A token while it is routed. Masked entries are -Infinity, also after activations. */
export interface RouteToken {
  readonly token: number;
  readonly experts: number;
  readonly inputs: RouteInputs;
  readonly rule: RouteRule;
  readonly logits: Float64Array;
  readonly affinities: Float64Array; // -Infinity where masked; `affinityOf` gives 0 there
}

/** A chosen expert, and its place before entries were removed. */
export interface RouteEntry {
  readonly expert: number;
  readonly place: number;
}

/** The affinity of an expert: 0 if it is masked. */
export function affinityOf({ affinities }: Pick<RouteToken, 'affinities'>, expert: number): number {
  const value = affinities[expert]!;
  return value === -Infinity ? 0 : value;
}

/** A number of a row of the rule's vectors. */
export function vectorAt(
  { inputs, rule }: Pick<RouteToken, 'inputs' | 'rule'>,
  row: number,
  at: number,
  width: number,
): number {
  const { layerVectors = Infinity } = rule;
  const own = row < layerVectors || layerVectors === 0;
  return own
    ? inputs.vectors![row * width + at]!
    : inputs.request_vectors![(row - layerVectors) * width + at]!;
}
