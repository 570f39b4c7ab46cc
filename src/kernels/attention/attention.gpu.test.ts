import { describe, expect, test } from 'vitest';
import { attentionCombine } from './attention-combine.ts';
import { attentionReference, type AttentionOptions } from './attention.reference.ts';
import {
  ATTENTION_CASES,
  attentionCase,
  attentionOptions,
  attentionTolerance,
  CONTROL,
  LONG,
  SINK_CASES,
} from './attention.testing.ts';
import { attention, attentionForm, attentionSplits, partialsWords } from './attention.ts';
import { expectClose, numbers, runKernel, runnable, testGpu } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, attention);
type AttentionVariant = (typeof variants)[number];

async function run(
  variant: AttentionVariant,
  options: AttentionOptions,
  splits: number,
  { buffers, params } = attentionCase(options, variant.scalar),
) {
  const { tokens, heads, headDim } = options;
  const rows = tokens * heads;
  const size = { ...options, splits };
  const { o, partials } = await runKernel(gpu, attention, variant, {
    buffers: {
      ...buffers,
      o: { type: variant.scalar, count: rows * headDim },
      partials: { type: 'f32', count: partialsWords(size) },
    },
    params: { ...params, splits },
    size,
  });
  if (!variant.split) return numbers(o);
  const combining = { scalar: variant.scalar, wg: headDim > 64 ? 8 : 32 } as const;
  const combined = await runKernel(gpu, attentionCombine, combining, {
    buffers: { partials, o: { type: variant.scalar, count: rows * headDim } },
    params: { rows, head_dim: headDim, splits },
    size: { rows },
  });
  return numbers(combined.o);
}

async function check(variant: AttentionVariant, changes: Partial<AttentionOptions> & { splits?: number }) {
  const { splits = variant.split ? 3 : 1, ...rest } = changes;
  const options = attentionOptions(variant, rest);
  const given = attentionCase(options, variant.scalar);
  expectClose(await run(variant, options, splits, given), given.want, attentionTolerance(variant.scalar));
}

describe.each(variants.map((variant) => [attention.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    const cases = variant.sinks || variant.biased ? SINK_CASES : ATTENTION_CASES;
    test.each(cases.map((changes) => [JSON.stringify(changes), changes] as const))('%s', (_name, changes) =>
      check(variant, changes),
    );
  },
);

test.each([96, 128, 192, 256, 320, 576])('head dimension %i', async (headDim) => {
  const fitting = variants.filter(({ dims }) => headDim <= dims);
  for (const variant of fitting) await check(variant, { headDim, past: 66, scale: headDim ** -0.5 });
});

test.each([
  [
    { heads: 16, kvHeads: 16, headDim: 128 },
    { rows: 1, dims: 256 },
  ], // OLMoE, Qwen1.5-MoE
  [
    { heads: 32, kvHeads: 4, headDim: 128 },
    { rows: 8, dims: 256 },
  ],
  [
    { heads: 16, kvHeads: 2, headDim: 256 },
    { rows: 8, dims: 256 },
  ],
  [
    { heads: 16, kvHeads: 8, headDim: 64 },
    { rows: 4, dims: 256 },
  ],
  [
    { heads: 16, kvHeads: 1, headDim: 576 },
    { rows: 4, dims: 576 },
  ],
] as const)('%o has the form %o', (heads, form) => {
  expect(attentionForm(heads)).toEqual(form);
  expect(attention.variants).toContainEqual({
    scalar: 'f32',
    split: true,
    sinks: false,
    biased: false,
    ...form,
  });
});

const split = variants.filter(
  ({ split: is, rows, dims, sinks, biased }) => is && rows !== 8 && dims === 256 && !sinks && !biased,
);
test.each([1, 2, 7, 64])('%i splits of 71 keys', async (splits) => {
  for (const variant of split) await check(variant, { splits });
});

test('64 heads over 8 key heads of 128, past 4097', async () => {
  const splits = attentionSplits(LONG.past + 1, LONG.kvHeads);
  expect(splits).toBe(64);
  await check(
    variants.find(({ split: is, rows }) => is && rows === 8)!,
    { ...LONG, splits },
  );
});

test('two runs give the same bits', async () => {
  for (const variant of variants.filter(({ rows, sinks }) => rows === 4 && !sinks)) {
    const splits = variant.split ? 5 : 1;
    expect(await run(variant, CONTROL, splits)).toEqual(await run(variant, CONTROL, splits));
  }
});

test('a token does not depend on other tokens of the batch', async () => {
  const variant = variants.find(({ split: is, rows }) => !is && rows === 4)!;
  const [head, both] = [{ ...CONTROL, tokens: 1 }, CONTROL];
  const alone = await run(variant, head, 1);
  const together = await run(variant, both, 1);
  const inputs = (options: AttentionOptions) => attentionCase(options, variant.scalar).buffers;
  expect(inputs(head).q).toEqual(inputs(both).q.slice(0, inputs(head).q.length)); // same random numbers
  expect(together.slice(0, alone.length)).toEqual(alone);
});

test.each([
  [1, 8, 1],
  [64, 8, 1],
  [65, 8, 2],
  [4098, 8, 64],
  [4098, 64, 8],
  [4098, 512, 1],
  [4098, 5000, 1],
])('%i keys with %i workgroups a span are cut into %i', (keys, workgroups, splits) => {
  expect(attentionSplits(keys, workgroups)).toBe(splits);
});

test('the reference gives a hand-computed mean', () => {
  const options = { tokens: 1, past: 1, heads: 1, kvHeads: 1, headDim: 1, scale: 1, window: 0 };
  const q = new Float32Array([1]);
  const k = new Float32Array([0, Math.log(3)]); // weights 1 and 3
  const v = new Float32Array([4, 8]);
  expectClose(attentionReference(q, k, v, options), [7]);
  expectClose(attentionReference(q, k, v, { ...options, window: 1 }), [8]);
  expectClose(attentionReference(q, k, v, { ...options, chunk: 1 }), [8]);
  expect(attentionReference(q, k, v, { ...options, chunk: 2 })).toEqual(attentionReference(q, k, v, options));
  const sinks = new Float32Array([Math.log(4)]); // half of the weight, without a value
  expectClose(attentionReference(q, k, v, { ...options, sinks }), [3.5]);
  const keyBias = new Float32Array([Math.log(3), 0]); // weights 3 and 3
  expectClose(attentionReference(q, k, v, { ...options, keyBias }), [6]);
});
