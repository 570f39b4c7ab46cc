import { describe, expect, test } from 'vitest';
import type { AttentionOptions } from './attention.reference.ts';
import { attentionRecordsWords, attentionScores } from './attention-scores.ts';
import {
  ATTENTION_CASES,
  attentionCase,
  attentionOptions,
  attentionTolerance,
  CONTROL,
  LONG,
  SINK_CASES,
} from './attention.testing.ts';
import { attentionValues } from './attention-values.ts';
import { expectClose, numbers, runKernel, runnable, testGpu } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, attentionScores);
type ScoresVariant = (typeof variants)[number];

/** Runs both halves, with the records read back between them. */
async function run(
  variant: ScoresVariant,
  options: AttentionOptions,
  given = attentionCase(options, variant.scalar),
) {
  const { q, k_cache, v_cache, sinks, key_bias } = given.buffers;
  const params = given.params;
  const { records } = await runKernel(gpu, attentionScores, variant, {
    buffers: { q, k_cache, key_bias, records: { type: 'f32', count: attentionRecordsWords(options) } },
    params,
    size: options,
  });
  const valuesVariant = { ...variant, sinks: options.sinks !== undefined };
  const { o } = await runKernel(gpu, attentionValues, valuesVariant, {
    buffers: { records, v_cache, sinks, o: { type: variant.scalar, count: given.want.length } },
    params,
    size: options,
  });
  return numbers(o);
}

async function check(variant: ScoresVariant, changes: Partial<AttentionOptions>, sinks = false) {
  const options = attentionOptions({ sinks, biased: variant.biased }, changes);
  const given = attentionCase(options, variant.scalar);
  expectClose(await run(variant, options, given), given.want, attentionTolerance(variant.scalar));
}

const MORE: readonly Partial<AttentionOptions>[] = [
  { headDim: 96 },
  { headDim: 256 },
  { tokens: 37, past: 0 },
  { tokens: 64, past: 11, heads: 3, kvHeads: 1 },
  { tokens: 33, past: 20, window: 9 },
  { tokens: 33, past: 20, chunk: 9 },
];

describe.each(variants.map((variant) => [attentionScores.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([...ATTENTION_CASES, ...MORE].map((changes) => [JSON.stringify(changes), changes] as const))(
      '%s',
      (_name, changes) => check(variant, changes),
    );
  },
);

test.each(SINK_CASES.map((changes) => [JSON.stringify(changes), changes] as const))(
  'sinks: %s',
  async (_name, changes) => {
    for (const variant of variants) await check(variant, changes, true);
  },
);

test('64 heads over 8 key heads of 128, past 4097', () => check(variants[0]!, LONG));

test('two runs give the same bits', async () => {
  for (const variant of variants.filter(({ biased }) => !biased))
    expect(await run(variant, CONTROL)).toEqual(await run(variant, CONTROL));
});
