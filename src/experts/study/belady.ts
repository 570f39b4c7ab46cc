import type { MakePolicy } from '../policy.ts';
import { unitsOf, type RoutingTrace } from './trace.ts';

const NEVER = Number.MAX_SAFE_INTEGER; // as a step: later than all

/**
 * Evicts what is used again last, as only a look into the future can tell. Good for replays of this trace alone, step
 * by step. Like every policy it keeps the units of the current step; without that, `optimum.ts` does even better.
 */
export function belady(trace: RoutingTrace): MakePolicy {
  return ({ units, layer }) => {
    const { first, next } = readFuture(trace, layer, units);
    let use = 0; // of the layer
    return {
      begin(used, count) {
        for (let rank = 0; rank < count; rank += 1, use += 1) first[used[rank] ?? 0] = next[use] ?? NEVER;
      },
      use() {},
      observe() {},
      score: (unit) => -(first[unit] ?? NEVER),
    };
  };
}

/** @returns by unit the step that uses it first, and by use of the layer the step that uses its unit next */
function readFuture(trace: RoutingTrace, layer: number, units: number) {
  const first = new Float64Array(units).fill(NEVER);
  const next: number[] = [];
  for (let step = trace.steps - 1; step >= 0; step -= 1) {
    for (const unit of unitsOf(trace, step, layer).toReversed()) {
      next.push(first[unit] ?? NEVER);
      first[unit] = step;
    }
  }
  return { first, next: Float64Array.from(next.reverse()) };
}
