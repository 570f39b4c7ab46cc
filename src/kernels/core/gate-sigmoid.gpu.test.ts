import { describe, expect, test } from 'vitest';
import {
  expectClose,
  numbers,
  randomNormal,
  rounded,
  runKernel,
  runnable,
  scalars,
  testGpu,
  tolerance,
} from '../testing.ts';
import { gateSigmoid } from './gate-sigmoid.ts';
import { gateSigmoidReference } from './gate-sigmoid.reference.ts';

const gpu = await testGpu();
const variants = runnable(gpu, gateSigmoid);

describe.each(variants.map((variant) => [gateSigmoid.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      [1, 4],
      [3, 84],
      [5, 256],
    ])('%i x %i', async (tokens, cols) => {
      const x = randomNormal(tokens * cols, 1);
      const gate = randomNormal(tokens * cols, 2, 3);
      gate[0] = -200; // the sigmoid is 0, and its exponential overflows f32
      const { y } = await runKernel(gpu, gateSigmoid, variant, {
        buffers: {
          x: scalars(x, variant.scalar),
          gate: scalars(gate, variant.scalar),
          y: { type: variant.scalar, count: tokens * cols },
        },
        params: { tokens, cols },
        size: { tokens, cols },
      });
      const want = gateSigmoidReference(rounded(x, variant.scalar), rounded(gate, variant.scalar));
      expectClose(numbers(y), want, tolerance(variant.scalar));
    });
  },
);

test('the reference gates', () => {
  expect([...gateSigmoidReference(Float32Array.of(4, 4), Float32Array.of(0, 100))]).toEqual([2, 4]);
});
