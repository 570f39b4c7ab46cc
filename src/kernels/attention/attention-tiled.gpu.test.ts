import { describe, expect, test } from 'vitest';
import type { AttentionOptions } from './attention.reference.ts';
import {
  ATTENTION_CASES,
  attentionCase,
  attentionOptions,
  attentionTolerance,
  CONTROL,
  SINK_CASES,
} from './attention.testing.ts';
import { attentionTiled } from './attention-tiled.ts';
import { expectClose, numbers, runKernel, runnable, testGpu } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, attentionTiled);
type TiledVariant = (typeof variants)[number];

async function run(
  variant: TiledVariant,
  options: AttentionOptions,
  given = attentionCase(options, variant.scalar),
) {
  const { o } = await runKernel(gpu, attentionTiled, variant, {
    buffers: { ...given.buffers, o: { type: variant.scalar, count: given.want.length } },
    params: given.params,
    size: options,
  });
  return numbers(o);
}

async function check(variant: TiledVariant, changes: Partial<AttentionOptions>) {
  const options = attentionOptions(variant, changes);
  const given = attentionCase(options, variant.scalar);
  expectClose(await run(variant, options, given), given.want, attentionTolerance(variant.scalar));
}

/** Rows and keys around the edges of tiles of 32. */
const TILES: readonly Partial<AttentionOptions>[] = [
  { tokens: 15, past: 0 },
  { tokens: 16, past: 0 },
  { tokens: 17, past: 0 },
  { tokens: 33, past: 31, heads: 2 },
  { tokens: 32, past: 32, heads: 2 },
  { tokens: 70, past: 0, heads: 3, kvHeads: 1 },
  { tokens: 40, past: 90, window: 20 },
  { tokens: 40, past: 90, window: 65 },
  { tokens: 40, past: 90, chunk: 50 },
];

describe.each(variants.map((variant) => [attentionTiled.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    const all = variant.sinks || variant.biased ? SINK_CASES : [...ATTENTION_CASES, ...TILES];
    const cases = variant.dims === 128 ? all : TILES.slice(2, 4);
    test.each(cases.map((changes) => [JSON.stringify(changes), changes] as const))('%s', (_name, changes) =>
      check(variant, changes),
    );
    test.each([32, 64, 96, 128, 192, 256, 576])('head dimension %i', (headDim) =>
      check(variant, { headDim, tokens: 18, past: 40, scale: headDim ** -0.5 }),
    );
  },
);

test('3 tokens of 8 heads over a key head of 128, past 4097', () =>
  check(
    variants.find(({ dims }) => dims === 128)!,
    {
      tokens: 3,
      past: 4097,
      heads: 8,
      kvHeads: 1,
      headDim: 128,
      scale: 128 ** -0.5,
    },
  ));

test('two runs give the same bits', async () => {
  const options = { ...CONTROL, tokens: 20 };
  for (const variant of variants.filter(({ sinks }) => !sinks))
    expect(await run(variant, options)).toEqual(await run(variant, options));
});
