import { describe, expect, test } from 'vitest';
import { expectClose, numbers, randomNormal, runKernel, testGpu } from '../testing.ts';
import { pairLinear } from './pair-linear.ts';
import { pairLinearReference } from './pair-linear.reference.ts';
import { packTernary, unpackTernary } from './ternary-codes.ts';

const gpu = await testGpu();
const { variants } = pairLinear;

describe.each(variants.map((variant) => [pairLinear.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    const [places, experts] = variant.routed ? [3, 5] : [1, 1];
    test.each([
      [1, 1, 1],
      [2, 3, 5],
      [1, 4, 16],
      [2, 5, 17],
      [3, 9, 70],
    ])('%i tokens, %i outputs of %i columns', async (tokens, outs, cols) => {
      for (const xPlaces of new Set([1, places])) {
        const x = randomNormal(tokens * xPlaces * cols, 1);
        const normal = randomNormal(experts * outs * cols, 2);
        const scales = Float32Array.from({ length: experts }, (_, at) => 0.25 + at / 8);
        const codes = normal.map((value) => Math.sign(Math.trunc(1.5 * value)));
        const packed = packTernary(codes, cols);
        const weight = variant.ternary ? unpackTernary(packed, scales, experts * outs, cols) : normal;
        const bias = randomNormal(experts * outs, 3);
        const ids = Uint32Array.from({ length: tokens * places }, (_, at) => (7 * at + 3) % (experts + 1));
        const { y } = await runKernel(gpu, pairLinear, variant, {
          buffers: {
            ...{ x, weight: variant.ternary ? new Uint32Array(packed.buffer) : weight },
            y: { type: 'f32', count: tokens * places * outs },
            ...(variant.ternary ? { scales } : {}),
            ...(variant.biased ? { bias } : {}),
            ...(variant.routed ? { ids } : {}),
          },
          params: { tokens, places, x_places: xPlaces, experts, outs, cols },
          size: { tokens, places, outs },
        });
        const want = pairLinearReference(x, weight, {
          ...{ tokens, places, xPlaces, experts, outs, cols },
          ...(variant.biased ? { bias } : {}),
          ...(variant.routed ? { ids } : {}),
        });
        expectClose(numbers(y), want, { absolute: 1e-5, relative: 1e-5 });
      }
    });
  },
);

test('the reference multiplies rows by the matrices of their experts, and gives zeros where there is none', () => {
  const y = pairLinearReference([1, 2, 3, 4], [1, 0, 0, 1, 10, 0, 0, 10], {
    ...{ tokens: 2, places: 2, xPlaces: 1, experts: 2, outs: 2, cols: 2, ids: [0, 1, 2, 1] },
  });
  expect([...y]).toEqual([1, 2, 10, 20, 0, 0, 30, 40]);
});
