/** Layers of one-neuron experts for the benches: the op, and routes to feed it. */
import type { GraphBuilder } from '../src/graph/builder.ts';
import { atomicExpertsNode, type AtomicExpertsIo } from '../src/graph/ops/atomic-experts.ts';
import type { Tensor } from '../src/graph/tensor.ts';

/** Uniformly drawn expert ids, as the paper's benches have them. */
export function randomIds(count: number, experts: number, seed = 7): Uint32Array<ArrayBuffer> {
  let state = Math.imul(seed, 0x9e3779b9) | 1;
  return Uint32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * experts);
  });
}

export type AtomicShape = Pick<AtomicExpertsIo, 'experts' | 'topK' | 'hidden' | 'activation' | 'schedule'>;

/** The routed experts alone, with given `ids` and `weights`. */
export function atomicNodes(builder: GraphBuilder, shape: AtomicShape): Tensor {
  const { topK, hidden } = shape;
  const x = builder.tensor('x', { role: 'input', perToken: hidden });
  const ids = builder.tensor('expert ids', { type: 'u32', role: 'input', perToken: topK });
  const weights = builder.tensor('expert weights', { type: 'f32', role: 'input', perToken: topK });
  const y = builder.tensor('y', { role: 'output', perToken: hidden });
  builder.add(atomicExpertsNode('atomic', { x, ids, weights, y, bank: 0, ...shape }));
  return y;
}
