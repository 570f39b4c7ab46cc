import { describe, expect, test } from 'vitest';
import { embedding } from './embedding.ts';
import { embeddingReference } from './embedding.reference.ts';
import { expectClose, numbers, runKernel, runnable, testGpu, tolerance } from './testing.ts';
import { testWeights } from './weights.testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, embedding);

async function check(
  variant: (typeof variants)[number],
  ids: Uint32Array<ArrayBuffer>,
  vocab: number,
  cols: number,
) {
  const { words, scales, values } = testWeights(variant.format, vocab, cols, 7);
  const params = { tokens: ids.length, vocab, cols, scales, multiplier: 12 };
  const { y } = await runKernel(gpu, embedding, variant, {
    buffers: { ids, table: words, y: { type: variant.scalar, count: ids.length * cols } },
    params,
    size: params,
  });
  const want = embeddingReference(ids, values, params);
  expectClose(numbers(y), want, { ...tolerance(variant.scalar), label: embedding.key(variant) });
}

describe.each(variants.map((variant) => [embedding.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      [[0], 1, 32],
      [[2, 0, 2], 3, 96],
      [[36, 1, 18, 36, 4], 37, 64],
      [[5, 6, 7, 0xffffffff, 0], 6, 2080], // past the table: zeros
    ])('tokens %j of %i x %i', async (ids, vocab, cols) => {
      await check(variant, Uint32Array.from(ids), vocab, cols);
    });
  },
);

test('a vocabulary of 49155', async () => {
  const variant = variants.find(({ format }) => format === 'q4_0')!;
  await check(variant, Uint32Array.from([49154, 49155, 0, 31337]), 49155, 64);
});

test('the reference picks rows', () => {
  const y = embeddingReference(Uint32Array.from([1, 9]), Float32Array.from([1, 2, 3, 4]), {
    tokens: 2,
    vocab: 2,
    cols: 2,
    multiplier: 10,
  });
  expect([...y]).toEqual([30, 40, 0, 0]);
});
