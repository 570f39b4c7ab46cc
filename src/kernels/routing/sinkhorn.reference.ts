import { AtomoeError } from '../../errors.ts';
import { boundsOf } from './sequence.ts';

const MASK_LIMIT = -1e37;

/** Sizes and numbers of the iteration. */
export interface SinkhornOptions {
  readonly tokens: number;
  readonly experts: number;
  readonly iterations: number; // at least 1
  readonly temperature: number; // above 0
}

/**
 * M = exp(v / temperature) of each sequence; in turn columns scaled to sum to tokens / experts, rows to 1.
 *
 * values [tokens, experts]; below -1e37: 0 in M, and minus infinity in the result, which rules read as masked
 * -> [tokens, experts]
 *
 * @throws {AtomoeError} non-finite - a NaN among the values
 */
export function sinkhornReference(
  values: Float32Array,
  offsets: ArrayLike<number> | undefined,
  { tokens, experts, iterations, temperature }: SinkhornOptions,
): Float32Array<ArrayBuffer> {
  const size = tokens * experts;
  if (values.subarray(0, size).some(Number.isNaN)) {
    throw new AtomoeError('non-finite', "NaN among the router's scores");
  }
  const result = new Float32Array(size);
  for (const [first, end] of boundsOf(offsets, tokens)) {
    const own = Array.from({ length: end - first }, (_, index) => first + index);
    const all = Array.from({ length: experts }, (_, e) => e);
    const entry = (t: number, e: number) => {
      const value = values[t * experts + e]!;
      return value > MASK_LIMIT ? value / temperature : -Infinity;
    };
    // Logarithms of the scales, so that no power vanishes.
    const rows = new Map(own.map((t) => [t, 0]));
    const columns = new Float64Array(experts);
    const target = Math.log(own.length / experts);
    for (let iteration = 0; iteration < iterations; iteration += 1) {
      for (const e of all)
        columns[e] = scaleOf(
          own.map((t) => entry(t, e) + rows.get(t)!),
          target,
        );
      for (const t of own)
        rows.set(
          t,
          scaleOf(
            all.map((e) => entry(t, e) + columns[e]!),
            0,
          ),
        );
    }
    for (const t of own) {
      const masses = all.map((e) => {
        const own = entry(t, e);
        return own === -Infinity ? own : Math.exp(own + rows.get(t)! + columns[e]!);
      });
      result.set(masses, t * experts);
    }
  }
  return result;
}

/** The scale with which powers of these sum to exp(target), as a logarithm; 0 if there are none. */
function scaleOf(logs: readonly number[], target: number): number {
  const largest = Math.max(...logs);
  if (largest === -Infinity) return 0;
  return target - largest - Math.log(logs.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}
