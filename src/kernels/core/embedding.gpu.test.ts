import { describe, expect, test } from 'vitest';
import { embedding } from './embedding.ts';
import { embeddingReference } from './embedding.reference.ts';
import { expectClose, numbers, runKernel, runnable, testGpu, tolerance } from '../testing.ts';
import { testWeights, wholeBlocks, withFormat } from '../weights.testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, embedding);

async function check(
  variant: (typeof variants)[number],
  ids: Uint32Array<ArrayBuffer>,
  vocab: number,
  someCols: number,
) {
  const cols = wholeBlocks(variant.format, someCols);
  const { words, scales, values } = testWeights(variant.format, vocab, cols, 7);
  const params = { tokens: ids.length, vocab, cols, scales, multiplier: 12, first: 0, rows: vocab };
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
  const variant = runnable(gpu, withFormat(embedding, 'q4_0'))[0]!;
  await check(variant, Uint32Array.from([49154, 49155, 0, 31337]), 49155, 64);
});

test('a table in two parts: each writes the tokens of its rows, the first also those outside the vocabulary', async () => {
  const [vocab, cols, cut] = [10, 32, 6];
  const ids = Uint32Array.from([9, 5, 6, 77, 0]);
  const variant = runnable(gpu, withFormat(embedding, 'f32'))[0]!;
  const { words, scales, values } = testWeights('f32', vocab, cols, 7);
  const common = { tokens: ids.length, vocab, cols, scales, multiplier: 2 };
  const run = async (first: number, rows: number) => {
    const table = words.slice(first * cols, (first + rows) * cols);
    const y = { type: variant.scalar, count: ids.length * cols };
    const params = { ...common, first, rows };
    return numbers(
      (await runKernel(gpu, embedding, variant, { buffers: { ids, table, y }, params, size: params })).y,
    );
  };
  const [low, high] = [await run(0, cut), await run(cut, vocab - cut)];
  const want = embeddingReference(ids, values, common);
  for (const [token, id] of ids.entries()) {
    const row = (all: Float32Array) => all.subarray(token * cols, (token + 1) * cols);
    const isHigh = id >= cut && id < vocab;
    expectClose(row(isHigh ? high : low), row(want), tolerance(variant.scalar));
    expect(
      row(isHigh ? low : high).every((value) => !(Math.abs(value) < 1e4)),
      'still poison',
    ).toBe(true);
  }
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
