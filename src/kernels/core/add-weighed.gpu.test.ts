import { expect, test } from 'vitest';
import { addWeighed } from './add-weighed.ts';
import { addWeighedReference } from './add-weighed.reference.ts';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu, tolerance } from '../testing.ts';

const gpu = await testGpu();

test.each([
  [1, 4],
  [3, 252],
  [1, 256],
  [2, 260],
  [7, 1024],
])('%i x %i', async (rows, cols) => {
  for (const variant of runnable(gpu, addWeighed)) {
    const x = randomNormal(rows * cols, 1);
    x[0] = 1e6; // outside the range of f16: the stream is f32
    const branch = randomNormal(rows * cols, 2);
    const weights = randomNormal(cols, 3);
    const { sum } = await runKernel(gpu, addWeighed, variant, {
      buffers: { x, branch, weights, sum: { type: 'f32', count: rows * cols } },
      params: { rows, cols, scale: 0.5 },
      size: { rows, cols },
    });
    expectClose(numbers(sum), addWeighedReference(x, branch, weights, 0.5), tolerance('f32'));
  }
});

test('the reference weighs the stream by columns', () => {
  const [x, branch, weights] = [
    [1, 2, 3, 4],
    [1, 1, 1, 1],
    [2, 10],
  ].map((list) => Float32Array.from(list));
  expect([...addWeighedReference(x!, branch!, weights!, 3)]).toEqual([5, 23, 9, 43]);
});
