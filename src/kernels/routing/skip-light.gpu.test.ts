import { describe, expect, test } from 'vitest';
import { NO_EXPERT, skipLight } from './skip-light.ts';
import { skipLightReference } from './skip-light.reference.ts';
import { randomStream, runKernel, runnable, testGpu } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, skipLight);
const BOUND = 0.1;

function given(pairs: number) {
  const next = randomStream(pairs);
  const ids = Uint32Array.from({ length: pairs }, () => Math.floor(next() * 64));
  // Weights at the bound, slightly below and above it, zero, and random ones.
  const edges = [BOUND, Math.fround(BOUND), Math.fround(BOUND) * (1 - 2 ** -24), 0, 1];
  const weights = Float32Array.from({ length: pairs }, (_, pair) => edges[pair % 8] ?? next() / 4);
  return { ids, weights };
}

describe.each(variants.map((variant) => [skipLight.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([1, 63, 64, 65, 8 * 256])('%i pairs', async (pairs) => {
      for (const dropIds of [false, true]) {
        const { ids, weights } = given(pairs);
        const got = await runKernel(gpu, skipLight, variant, {
          buffers: { ids: ids.slice(), weights: weights.slice() },
          params: { pairs, drop_ids: Number(dropIds), bound: BOUND },
          size: { pairs },
        });
        expect(got).toEqual(skipLightReference(ids, weights, { bound: BOUND, dropIds }));
      }
    });

    test('pairs past the end are unchanged', async () => {
      const got = await runKernel(gpu, skipLight, variant, {
        buffers: { ids: new Uint32Array(8).fill(5), weights: new Float32Array(8) },
        params: { pairs: 3, drop_ids: 1, bound: BOUND },
        size: { pairs: 3 },
      });
      expect([...got.ids]).toEqual([NO_EXPERT, NO_EXPERT, NO_EXPERT, 5, 5, 5, 5, 5]);
    });
  },
);
