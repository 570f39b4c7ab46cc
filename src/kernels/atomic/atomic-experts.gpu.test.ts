import { describe, expect, test } from 'vitest';
import { atomicCombine, type AtomicCombineVariant } from './atomic-combine.ts';
import { atomicExpertsReference, atomicScoresReference } from './atomic-experts.reference.ts';
import { atomicScores } from './atomic-scores.ts';
import { atomicTable, randomIds, type AtomicTable } from './atomic.testing.ts';
import type { ExpertVariant } from '../experts/expert-parts.ts';
import {
  expectClose,
  numbers,
  randomNormal,
  rounded,
  runKernel,
  quickly,
  runnable,
  scalars,
  testGpu,
  tolerance,
} from '../testing.ts';
import type { FormatName } from '../../weights/formats/index.ts';
import { wholeBlocks, withFormat } from '../weights.testing.ts';

const gpu = await testGpu();
const scoresVariants = runnable(gpu, atomicScores);
const combineVariants = runnable(gpu, atomicCombine);

interface Case {
  readonly tokens: number;
  readonly topK: number;
  readonly hidden: number;
  readonly act: number;
  readonly ids?: Uint32Array<ArrayBuffer>;
}

const PAGES = { pages: 5, pageExperts: 7 };
const control: Case = { tokens: 3, topK: 6, hidden: 96, act: 0 };

function inputs({ tokens, topK, hidden, ids }: Case) {
  return {
    x: randomNormal(tokens * hidden, 1, 0.3),
    ids: ids ?? randomIds(tokens * topK, PAGES.pages * PAGES.pageExperts, 2),
    weights: randomNormal(tokens * topK, 3),
  };
}

async function scores(variant: ExpertVariant, options: Case, held: AtomicTable) {
  const { tokens, topK, hidden, act } = options;
  const { x, ids } = inputs(options);
  const { page_experts, table_base, slot_vec4, in_base, in_scales } = held.params;
  const { neurons } = await runKernel(gpu, atomicScores, variant, {
    buffers: {
      x: scalars(x, variant.scalar),
      ids,
      table: held.table,
      neurons: { type: 'u32', count: 2 * tokens * topK },
      ...(held.pools as { pool0: Uint32Array<ArrayBuffer> }),
    },
    params: { tokens, hidden, top_k: topK, act, page_experts, table_base, slot_vec4, in_base, in_scales },
    size: options,
  });
  return neurons;
}

/** The activations in `neurons`. */
function activationsOf(neurons: ArrayLike<number>): Float32Array {
  const words = Uint32Array.from(neurons);
  return new Float32Array(words.buffer).filter((_, at) => at % 2 === 0);
}

/** The result of the first half, by the reference. */
function neuronsOf(options: Case, held: AtomicTable): Uint32Array<ArrayBuffer> {
  const { x, ids } = inputs(options);
  const activations = atomicScoresReference(x, ids, { ...options, ...pageOptions(held) });
  const words = new Uint32Array(2 * ids.length);
  const floats = new Float32Array(words.buffer);
  for (const [at, id] of ids.entries()) {
    floats[2 * at] = activations[at] ?? 0;
    words[2 * at + 1] = held.table[1 + Math.floor(id / PAGES.pageExperts)] ?? 0;
  }
  return words;
}

function pageOptions(held: AtomicTable) {
  return { pageExperts: PAGES.pageExperts, page: held.page };
}

async function combine(variant: AtomicCombineVariant, options: Case, held: AtomicTable) {
  const { tokens, topK, hidden } = options;
  const { page_experts, slot_vec4, out_base, out_scales } = held.params;
  const { ids, weights } = inputs(options);
  const { y } = await runKernel(gpu, atomicCombine, variant, {
    buffers: {
      neurons: neuronsOf(options, held),
      ids,
      weights,
      y: { type: variant.scalar, count: tokens * hidden },
      ...(held.pools as { pool0: Uint32Array<ArrayBuffer> }),
    },
    params: { tokens, hidden, top_k: topK, page_experts, slot_vec4, out_base, out_scales },
    size: options,
  });
  return numbers(y);
}

/** The case with whole blocks of columns. */
function inBlocks({ format }: { readonly format: FormatName }, options: Case): Case {
  return { ...options, hidden: wholeBlocks(format, options.hidden) };
}

async function checkScores(variant: ExpertVariant, change: Partial<Case> = {}, absent?: number) {
  const options = inBlocks(variant, { ...control, ...change });
  const held = atomicTable(variant.format, variant.pools, {
    ...PAGES,
    hidden: options.hidden,
    ...(absent === undefined ? {} : { absent }),
  });
  const { x, ids } = inputs(options);
  const neurons = await scores(variant, options, held);
  const want = atomicScoresReference(rounded(x, variant.scalar), ids, { ...options, ...pageOptions(held) });
  expectClose(activationsOf(neurons), want, { absolute: 1e-5, relative: 1e-5 }); // sums of terms that cancel
  for (const [at, id] of ids.entries()) {
    expect(neurons[2 * at + 1]).toBe(held.table[1 + Math.floor(id / PAGES.pageExperts)]);
  }
}

async function checkCombine(variant: AtomicCombineVariant, change: Partial<Case> = {}, absent?: number) {
  const options = inBlocks(variant, { ...control, ...change });
  const held = atomicTable(variant.format, variant.pools, {
    ...PAGES,
    hidden: options.hidden,
    ...(absent === undefined ? {} : { absent }),
  });
  const { x, ids, weights } = inputs(options);
  const want = atomicExpertsReference(x, ids, weights, { ...options, ...pageOptions(held) });
  const { absolute, relative } = tolerance(variant.scalar);
  expectClose(await combine(variant, options, held), want, { absolute: 5 * absolute, relative });
}

describe.each(quickly(scoresVariants).map((variant) => [atomicScores.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test('control case, with an absent page', () => checkScores(variant, {}, 2));
  },
);

describe.each(quickly(combineVariants).map((variant) => [atomicCombine.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test('control case, with an absent page', () => checkCombine(variant, {}, 2));
  },
);

/** Shapes are varied with one format and every division of work. */
const forms = {
  scores: runnable(gpu, withFormat(atomicScores, 'f16')).filter(
    ({ pools, scalar }) => pools === 1 && scalar === 'f32',
  ),
  combine: runnable(gpu, withFormat(atomicCombine, 'f16')).filter(
    ({ pools, scalar }) => pools === 1 && scalar === 'f32',
  ),
};

describe.each([
  ['one token', { tokens: 1 }],
  ['nine tokens', { tokens: 9 }],
  ['one expert', { topK: 1 }],
  ['three experts', { topK: 3 }],
  ['four experts', { topK: 4 }],
  [
    'all experts',
    {
      topK: 35,
      tokens: 2,
      ids: Uint32Array.from({ length: 70 }, (_, at) => (35 - at / 2) | 0).map((id) => id % 35),
    },
  ],
  ['the same expert for all pairs', { topK: 70, ids: new Uint32Array(210).fill(33) }],
  ['128 experts', { topK: 128 }],
  ['hidden 8', { hidden: 8 }],
  ['hidden 32', { hidden: 32 }],
  ['hidden 64', { hidden: 64 }],
  ['hidden 72', { hidden: 72 }],
  ['hidden 264', { hidden: 264 }],
  ['hidden 1024', { hidden: 1024 }],
])('%s', (_name, change: Partial<Case>) => {
  test('scores', async () => {
    for (const variant of forms.scores) await checkScores(variant, change);
  });
  test('combine', async () => {
    for (const variant of forms.combine) await checkCombine(variant, change);
  });
});

test.each([0, 1, 2, 3, 4])('activation %i', async (act) => {
  for (const variant of forms.scores) await checkScores(variant, { act });
});

test('a token has the same bits alone and in a batch', async () => {
  for (const variant of forms.combine) {
    const held = atomicTable(variant.format, variant.pools, { ...PAGES, hidden: 96 });
    const all = await combine(variant, control, held);
    const first = await combine(
      variant,
      { ...control, tokens: 1, ids: inputs(control).ids.slice(0, control.topK) },
      held,
    );
    expect([...all.slice(0, 96)]).toEqual([...first]);
  }
});
