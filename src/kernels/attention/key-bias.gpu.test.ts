import { expect, test } from 'vitest';
import { keyBias } from './key-bias.ts';
import { keyBiasReference } from './key-bias.reference.ts';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu, tolerance } from '../testing.ts';

const gpu = await testGpu();

test.each([
  [1, 0, 2],
  [3, 5, 4],
  [65, 1, 3],
])('%i tokens after %i, of %i heads', async (tokens, past, heads) => {
  for (const variant of runnable(gpu, keyBias)) {
    const x = randomNormal(tokens * heads, 1, 3);
    x.set([-200, 60].slice(0, x.length)); // softplus is 0, and 60
    const slope = randomNormal(heads, 2, 0.3);
    const { cache } = await runKernel(gpu, keyBias, variant, {
      buffers: { x, slope, cache: { type: 'f32', count: (past + tokens) * heads } },
      params: { tokens, past, heads },
      size: { tokens, heads },
    });
    const own = numbers(cache).slice(past * heads);
    expectClose(own, keyBiasReference(x, slope), tolerance('f32'));
  }
});

test('the reference gives powers of 1 + e^x', () => {
  const [one, square] = keyBiasReference(Float32Array.from([0, Math.log(3)]), Float32Array.from([1, 2]));
  expect(one).toBeCloseTo(2, 6);
  expect(square).toBeCloseTo(16, 5);
});
