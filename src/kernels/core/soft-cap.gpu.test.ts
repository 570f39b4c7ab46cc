import { describe, expect, test } from 'vitest';
import { softCap } from './soft-cap.ts';
import { softCapReference } from './soft-cap.reference.ts';
import { expectClose, numbers, randomNormal, runKernel, runnable, testGpu } from '../testing.ts';

const gpu = await testGpu();

describe.each(runnable(gpu, softCap).map((variant) => [softCap.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([1, 63, 65, 1000])('%i elements', async (count) => {
      const cap = 30;
      const x = randomNormal(count, 1, 20);
      x.set([0, -0, 1e-3, -1e30, 1e30, 300, -300].slice(0, count));
      const { y } = await runKernel(gpu, softCap, variant, {
        buffers: { x, y: { type: 'f32', count } },
        params: { count, cap },
        size: { count },
      });
      // WGSL's tanh may be off by 1e-5, of 30.
      expectClose(numbers(y), softCapReference(x, { cap }), { absolute: 3e-5, relative: 1e-5 });
    });
  },
);

test('the reference is bounded, and the identity near 0', () => {
  const [tiny, large] = softCapReference(Float32Array.of(1e-4, -1e9), { cap: 30 });
  expect(tiny).toBeCloseTo(1e-4, 11); // 1e-4 is not an f32
  expect(large).toBe(-30);
});
