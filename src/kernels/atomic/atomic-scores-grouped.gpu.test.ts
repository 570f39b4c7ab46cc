import { describe, expect, test } from 'vitest';
import { atomicCombine } from './atomic-combine.ts';
import { atomicScoresReference } from './atomic-experts.reference.ts';
import { atomicScoresGrouped } from './atomic-scores-grouped.ts';
import { atomicScores } from './atomic-scores.ts';
import { atomicTable, randomIds } from './atomic.testing.ts';
import type { ExpertVariant } from '../experts/expert-parts.ts';
import { sortPairs } from './pair-sort.testing.ts';
import {
  expectClose,
  randomNormal,
  randomStream,
  rounded,
  runKernel,
  runnable,
  scalars,
  testGpu,
} from '../testing.ts';
import { quicklyEncoded, wholeBlocks, withFormat } from '../weights.testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, atomicScoresGrouped);

interface Case {
  readonly tokens: number;
  readonly topK: number;
  readonly hidden: number;
  readonly pages: number;
  readonly pageExperts: number;
  readonly ids?: (count: number, experts: number) => Uint32Array<ArrayBuffer>;
}

const control: Case = { tokens: 11, topK: 6, hidden: 96, pages: 4, pageExperts: 5 };

async function run(variant: ExpertVariant, change: Partial<Case>, absent?: number) {
  const some = { ...control, ...change };
  const hidden = wholeBlocks(variant.format, some.hidden);
  const options = { ...some, hidden };
  const { tokens, topK, pages, pageExperts } = options;
  const experts = pages * pageExperts;
  const x = randomNormal(tokens * hidden, 1, 0.3);
  const ids = (options.ids ?? ((count, most) => randomIds(count, most, 2)))(tokens * topK, experts);
  const held = atomicTable(variant.format, variant.pools, {
    ...options,
    ...(absent === undefined ? {} : { absent }),
  });
  const { page_experts, table_base, slot_vec4, in_base, in_scales } = held.params;
  const pools = held.pools as { pool0: Uint32Array<ArrayBuffer> };
  const params = { hidden, top_k: topK, act: 0, page_experts, table_base, slot_vec4, in_base, in_scales };
  const output = { type: 'u32', count: 2 * tokens * topK } as const;
  const shared = { x: scalars(x, variant.scalar), table: held.table, ...pools };
  const sorted = await sortPairs(gpu, ids, experts);
  const grouped = await runKernel(gpu, atomicScoresGrouped, variant, {
    buffers: { ...shared, sorted, neurons: output },
    params: { ...params, pairs: tokens * topK },
    size: { pairs: tokens * topK, hidden },
  });
  const want = atomicScoresReference(rounded(x, variant.scalar), ids, {
    ...options,
    act: 0,
    page: held.page,
  });
  return { options, held, ids, pools, shared, params, output, neurons: grouped.neurons, want };
}

function activationsOf(neurons: ArrayLike<number>): Float32Array {
  const words = Uint32Array.from(neurons);
  return new Float32Array(words.buffer).filter((_, at) => at % 2 === 0);
}

async function check(variant: ExpertVariant, change: Partial<Case> = {}, absent?: number) {
  const { ids, held, options, neurons, want } = await run(variant, change, absent);
  expectClose(activationsOf(neurons), want, { absolute: 1e-5, relative: 1e-5 }); // sums of terms that cancel
  for (const [at, id] of ids.entries()) {
    expect(neurons[2 * at + 1]).toBe(held.table[1 + Math.floor(id / options.pageExperts)]);
  }
}

describe.each(
  quicklyEncoded(variants).map((variant) => [atomicScoresGrouped.key(variant), variant] as const),
)('%s', (_key, variant) => {
  test('control case, with an absent page', () => check(variant, {}, 1));
});

const shapes: [string, Partial<Case>][] = [
  ['one token', { tokens: 1 }],
  ['one pair', { tokens: 1, topK: 1 }],
  ['five pairs', { tokens: 5, topK: 1 }],
  [
    'every expert for every token',
    { tokens: 7, topK: 20, ids: (count, experts) => new Uint32Array(count).map((_, at) => at % experts) },
  ],
  ['one expert for all', { ids: (count) => new Uint32Array(count).fill(13) }],
  [
    'most experts empty',
    { pages: 40, pageExperts: 16, ids: (count) => randomIds(count, 4, 3).map((id) => 100 * id) },
  ],
  ['hidden 32', { hidden: 32 }],
  ['hidden 1024', { hidden: 1024 }],
];

/** Shapes are varied with one format and every division of work. */
const forms = runnable(gpu, withFormat(atomicScoresGrouped, 'f16')).filter(
  ({ pools, scalar }) => pools === 1 && scalar === 'f32',
);

test.each(shapes)('%s', async (_name, change) => {
  for (const variant of forms) await check(variant, change);
});

test.each(shapes)('%s: both schedules agree', async (_name, change) => {
  for (const variant of forms.slice(-1)) {
    const { options, held, ids, pools, shared, params, output, neurons } = await run(variant, change);
    const { tokens, topK, hidden } = options;
    const alone = await runKernel(gpu, atomicScores, variant, {
      buffers: { ...shared, ids, neurons: output },
      params: { ...params, tokens },
      size: { tokens, topK, hidden },
    });
    const next = randomStream(8);
    const weights = Float32Array.from({ length: tokens * topK }, () => (0.3 * next()) / topK);
    const { page_experts, slot_vec4, out_base, out_scales } = held.params;
    const combine = async (form: 'slices' | 'tokens', from: typeof neurons) => {
      const kind = { scalar: 'f32', format: 'f16', pools: 1, form, subgroups: false } as const;
      const { y } = await runKernel(gpu, atomicCombine, kind, {
        buffers: { neurons: from, ids, weights, y: { type: 'f32', count: tokens * hidden }, ...pools },
        params: { tokens, hidden, top_k: topK, page_experts, slot_vec4, out_base, out_scales },
        size: { tokens, hidden },
      });
      return y;
    };
    expectClose(await combine('tokens', neurons), await combine('slices', alone.neurons));
  }
});
