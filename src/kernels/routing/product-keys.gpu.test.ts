import { describe, test } from 'vitest';
import { productKeys } from './product-keys.ts';
import { productKeysReference } from './product-keys.reference.ts';
import { expectClose, randomNormal, runKernel, runnable, testGpu } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, productKeys);
const control = { tokens: 3, heads: 2, key: 12, n: 20, hasNorm: true };

describe.each(variants.map((variant) => [productKeys.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      ['control', {}],
      ['one row', { tokens: 1, heads: 1 }],
      ['four rows', { tokens: 4, heads: 1 }],
      ['five rows', { tokens: 5, heads: 1 }],
      ['eight heads', { heads: 8 }],
      ['one key', { n: 1 }],
      ['64 keys', { n: 64 }],
      ['65 keys', { n: 65 }],
      ['keys of 4', { key: 4 }],
      ['keys of 128, 320 of them', { key: 128, n: 320 }],
      ['keys of 512', { key: 512 }],
      ['no norm', { hasNorm: false }],
    ])('%s', async (_name, change) => {
      const { tokens, heads, key, n, hasNorm } = { ...control, ...change };
      const rows = tokens * heads;
      const query = randomNormal(2 * rows * key, 1);
      const keysX = randomNormal(n * key, 2, 0.3);
      const keysY = randomNormal(n * key, 3, 0.3);
      const mean = randomNormal(2 * heads * key, 4);
      const variance = randomNormal(2 * heads * key, 5).map((value) => 0.1 + value * value);
      const eps = 1e-5;
      const { scores } = await runKernel(gpu, productKeys, variant, {
        buffers: {
          query,
          mean,
          variance,
          keys_x: keysX,
          keys_y: keysY,
          scores: { type: 'f32', count: 2 * rows * n },
        },
        params: { rows, heads, key, n, norm: hasNorm ? 1 : 0, eps },
        size: { rows, n, key },
      });
      const norm = hasNorm ? { norm: { mean, variance, eps } } : {};
      const want = productKeysReference(query, keysX, keysY, { rows, heads, key, n, ...norm });
      expectClose(scores, want, { absolute: 2e-5, relative: 1e-5 }); // sums of up to 512 terms near 1 that cancel
    });
  },
);
