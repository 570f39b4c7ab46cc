import { describe, expect, test } from 'vitest';
import { addShared } from './add-shared.ts';
import { addSharedReference } from './add-shared.reference.ts';
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

const gpu = await testGpu();
const variants = runnable(gpu, addShared);

describe.each(variants.map((variant) => [addShared.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      [1, 4],
      [3, 252],
      [1, 256],
      [2, 260],
      [7, 1024],
    ])('%i x %i', async (tokens, cols) => {
      const a = randomNormal(tokens * cols, 1);
      const b = randomNormal(tokens * cols, 2);
      const gate = randomNormal(tokens, 3, 3);
      gate[0] = -200; // the sigmoid is 0, and its exponential overflows f32
      const params = { tokens, cols, scale: -0.7 };
      const buffers = {
        a: scalars(a, variant.scalar),
        b: scalars(b, variant.scalar),
        y: { type: variant.scalar, count: tokens * cols },
        gate, // bound if the variant has it
      };
      const { y } = await runKernel(gpu, addShared, variant, {
        buffers,
        params,
        size: params,
      });
      const want = addSharedReference(
        rounded(a, variant.scalar),
        rounded(b, variant.scalar),
        variant.gated ? gate : undefined,
        params,
      );
      expectClose(numbers(y), want, tolerance(variant.scalar));
    });
  },
);

test('the reference gates or scales', () => {
  const a = Float32Array.from([1, 2]);
  const b = Float32Array.from([4, 8]);
  const params = { tokens: 2, cols: 1, scale: 3 };
  expect([...addSharedReference(a, b, undefined, params)]).toEqual([13, 26]);
  expect([...addSharedReference(a, b, Float32Array.from([0, 100]), params)]).toEqual([3, 10]);
});
