import type { Buffer } from '../gpu/buffer.ts';
import type { Ref, Tensor } from './tensor.ts';

/** Buffers of the states of one session, by tensor name. */
export type States = ReadonlyMap<string, Buffer>;

/** The states with current and next values exchanged for states with parity, and the exchanged tensors. */
export function swap(
  states: States,
  tensors: readonly Tensor[],
): { states: States; has: (ref: Ref) => boolean } {
  const moved = new Set<Ref>();
  const buffers = new Map(states);
  for (const now of tensors) {
    const [old, next] = [states.get(now.name), now.next && states.get(now.next.name)];
    if (!now.next || !old || !next) continue;
    buffers.set(now.name, next).set(now.next.name, old);
    moved.add(now).add(now.next);
  }
  return { states: buffers, has: (ref) => moved.has(ref) };
}
