import { describe, expect, test } from 'vitest';
import { expertCombine } from './expert-combine.ts';
import { expertDown, expertDownPairs } from './expert-down.ts';
import { expertGateUp } from './expert-gate-up.ts';
import {
  expertCombineReference,
  expertDownReference,
  expertGateUpReference,
  expertGluReference,
} from './expert-glu.reference.ts';
import {
  placeExperts,
  shapesIn,
  testExperts,
  testStep,
  type ExpertShape,
  type TestExperts,
  type TestSlots,
  type TestStep,
} from './expert.testing.ts';
import type { GluVariant } from './glu-forms.ts';
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
import { quicklyEncoded, withFormat } from '../weights.testing.ts';
import { inFormat } from '../weights.ts';

const gpu = await testGpu();
const SILU = 0;

interface Given {
  readonly shape: ExpertShape;
  readonly experts: TestExperts;
  readonly slots: TestSlots;
  readonly step: TestStep;
  readonly act?: number;
}

/** Tolerance of sums over `terms` products of about `size`: f32 sums in a different order from the reference. */
const sums = (terms: number, size = 1) => ({ absolute: 2e-7 * Math.sqrt(terms) * size, relative: 1e-5 });

async function runGateUp(variant: GluVariant, { shape, experts, slots, step, act = SILU }: Given) {
  const { hidden, width, topK } = shape;
  const pairs = step.ids.length;
  const { gate, up, gate_scales, up_scales, gate_bias, up_bias, slot_vec4 } = experts.offsets;
  const { h } = await runKernel(gpu, expertGateUp, variant, {
    buffers: {
      x: scalars(step.x, variant.scalar),
      ids: step.ids,
      table: slots.table,
      h: { type: 'f32', count: pairs * width },
      ...slots.pools,
    },
    params: {
      tokens: pairs / topK,
      top_k: topK,
      experts: shape.experts,
      hidden,
      width,
      act,
      table_base: slots.table_base,
      slot_vec4,
      gate,
      up,
      gate_scales,
      up_scales,
      gate_bias,
      up_bias,
    },
    size: { pairs, hidden, width },
  });
  return numbers(h);
}

async function runDown(
  variant: GluVariant,
  h: Float32Array<ArrayBuffer>,
  { shape, experts, slots, step }: Given,
) {
  const { hidden, width, topK } = shape;
  const tokens = step.ids.length / topK;
  const { down, down_scales, down_bias, slot_vec4 } = experts.offsets;
  const { y } = await runKernel(gpu, expertDown, variant, {
    buffers: {
      h,
      ids: step.ids,
      weights: step.weights,
      table: slots.table,
      y: { type: variant.scalar, count: tokens * hidden },
      ...slots.pools,
    },
    params: {
      tokens,
      top_k: topK,
      experts: shape.experts,
      hidden,
      width,
      table_base: slots.table_base,
      slot_vec4,
      down,
      down_scales,
      down_bias,
    },
    size: { tokens, hidden, width },
  });
  return numbers(y);
}

async function runPairs(
  variant: GluVariant,
  h: Float32Array<ArrayBuffer>,
  { shape, experts, slots, step }: Given,
) {
  const { hidden, width } = shape;
  const pairs = step.ids.length;
  const { down, down_scales, down_bias, slot_vec4 } = experts.offsets;
  const { table_base } = slots;
  const { out } = await runKernel(gpu, expertDownPairs, variant, {
    buffers: {
      h,
      ids: step.ids,
      table: slots.table,
      out: { type: 'f32', count: pairs * hidden },
      ...slots.pools,
    },
    params: {
      pairs,
      experts: shape.experts,
      hidden,
      width,
      table_base,
      slot_vec4,
      down,
      down_scales,
      down_bias,
    },
    size: { pairs, hidden, width },
  });
  return numbers(out);
}

async function runCombine(
  variant: (typeof expertCombine.variants)[number],
  out: Float32Array<ArrayBuffer>,
  place: Uint32Array<ArrayBuffer>,
  { shape, step }: Pick<Given, 'shape' | 'step'>,
) {
  const { hidden, topK } = shape;
  const tokens = step.ids.length / topK;
  const { y } = await runKernel(gpu, expertCombine, variant, {
    buffers: { out, weights: step.weights, y: { type: variant.scalar, count: tokens * hidden }, place },
    params: { tokens, top_k: topK, hidden },
    size: { tokens, hidden },
  });
  return numbers(y);
}

const keyed = <V>(kernel: { key: (variant: V) => string }, variants: readonly V[]) =>
  variants.map((variant) => [kernel.key(variant), variant] as const);

/** hidden and width at and around the rows of a workgroup, the lanes along a row and the blocks of each format. */
const SHAPES: readonly (readonly [tokens: number, shape: ExpertShape])[] = [
  [1, { experts: 1, hidden: 32, width: 32, topK: 1 }],
  [3, { experts: 5, hidden: 96, width: 64, topK: 2 }],
  [2, { experts: 4, hidden: 160, width: 96, topK: 3 }],
  [8, { experts: 64, hidden: 64, width: 32, topK: 6 }],
];

describe.each(keyed(expertGateUp, quickly(runnable(gpu, expertGateUp))))('%s', (_key, variant) => {
  test('shapes', async () => {
    for (const [tokens, shape] of shapesIn(variant.format, SHAPES)) {
      const experts = testExperts(variant.format, shape);
      const slots = placeExperts(experts, { pools: variant.pools, shuffle: 3 });
      const step = testStep(tokens, shape);
      const h = await runGateUp(variant, { shape, experts, slots, step });
      const exact = { ...step, x: rounded(step.x, variant.scalar) };
      const options = { tokens, ...shape, act: SILU };
      const lookup = variant.biased ? experts.biased : experts.expert;
      const want = expertGateUpReference(exact.x, step.ids, lookup, options);
      expectClose(h, want, {
        ...sums(shape.hidden, 4),
        label: `hidden ${shape.hidden}, width ${shape.width}`,
      });
    }
  });
});

describe.each(keyed(expertDown, quickly(runnable(gpu, expertDown))))('%s', (_key, variant) => {
  test('shapes', async () => {
    for (const [tokens, shape] of shapesIn(variant.format, SHAPES)) {
      const experts = testExperts(variant.format, shape);
      const given = {
        shape,
        experts,
        slots: placeExperts(experts, { shuffle: 4 }),
        step: testStep(tokens, shape),
      };
      const h = randomNormal(tokens * shape.topK * shape.width, 9);
      const y = await runDown(variant, h, given);
      const lookup = variant.biased ? experts.biased : experts.expert;
      const out = expertDownReference(h, given.step.ids, lookup, { tokens, ...shape });
      const want = expertCombineReference(out, given.step.weights, { tokens, ...shape });
      const bound = variant.scalar === 'f32' ? sums(shape.width) : tolerance('f16');
      expectClose(y, want, { ...bound, label: `hidden ${shape.hidden}, width ${shape.width}` });
    }
  });
});

describe.each(keyed(expertDownPairs, quicklyEncoded(runnable(gpu, expertDownPairs))))(
  '%s',
  (_key, variant) => {
    test('shapes', async () => {
      for (const [tokens, shape] of shapesIn(variant.format, SHAPES)) {
        const experts = testExperts(variant.format, shape);
        const slots = placeExperts(experts, { pools: variant.pools, shuffle: 5 });
        const step = testStep(tokens, shape);
        const h = randomNormal(tokens * shape.topK * shape.width, 9);
        const out = await runPairs(variant, h, { shape, experts, slots, step });
        const lookup = variant.biased ? experts.biased : experts.expert;
        const want = expertDownReference(h, step.ids, lookup, { tokens, ...shape });
        expectClose(out, want, {
          ...sums(shape.width),
          label: `hidden ${shape.hidden}, width ${shape.width}`,
        });
      }
    });
  },
);

describe.each(keyed(expertCombine, runnable(gpu, expertCombine)))('%s', (_key, variant) => {
  test.each([
    [1, 4, 1],
    [1, 252, 3],
    [3, 256, 4],
    [2, 260, 8],
    [65, 64, 2],
  ])('%i tokens, hidden %i, top %i', async (tokens, hidden, topK) => {
    const shape = { experts: 8, hidden, topK, width: 32 };
    const step = testStep(tokens, shape);
    const pairs = tokens * topK;
    const place = Uint32Array.from({ length: pairs }, (_, pair) => pairs - 1 - pair);
    if (pairs > 1) place[1] = 0xffffffff;
    const out = randomNormal(pairs * hidden, 3);
    const y = await runCombine(variant, out, place, { shape, step });
    const rows = new Float32Array(pairs * hidden); // by pair number
    for (let pair = 0; pair < pairs; pair += 1) {
      const row = variant.sorted ? place[pair]! : pair;
      if (row < pairs) rows.set(out.subarray(row * hidden, (row + 1) * hidden), pair * hidden);
    }
    const want = expertCombineReference(rows, step.weights, { tokens, topK, hidden });
    expectClose(y, want, tolerance(variant.scalar));
  });
});

describe('the chosen experts of few tokens', () => {
  const shape = { experts: 6, hidden: 64, width: 64, topK: 3 };
  const experts = testExperts('q4_0', shape);
  const step = testStep(4, shape);
  const form = (pools: number, way: string) => (variant: GluVariant) =>
    variant.scalar === 'f32' && variant.pools === pools && variant.form === way;
  const gateUp = inFormat(expertGateUp, 'q4_0').find(form(1, 'workgroup'))!;
  const down = inFormat(expertDown, 'q4_0').find(form(1, 'workgroup'))!;

  test.each(['workgroup', 'subgroup'])(
    'shuffled slots and four pools give the same bits: %s',
    async (way) => {
      if (way === 'subgroup' && !gpu.features.has('subgroups')) return;
      const given = { shape, experts, step };
      const h = await runGateUp(inFormat(expertGateUp, 'q4_0').find(form(1, way))!, {
        ...given,
        slots: placeExperts(experts),
      });
      const shuffled = await runGateUp(inFormat(expertGateUp, 'q4_0').find(form(1, way))!, {
        ...given,
        slots: placeExperts(experts, { shuffle: 8 }),
      });
      const slots = placeExperts(experts, { pools: 4, shuffle: 9 });
      expect(shuffled).toEqual(h);
      expect(
        await runGateUp(inFormat(expertGateUp, 'q4_0').find(form(4, way))!, { ...given, slots }),
      ).toEqual(h);
      const out = await runPairs(inFormat(expertDownPairs, 'q4_0').find(form(4, way))!, h, {
        ...given,
        slots,
      });
      const combine = expertCombine.variants.find(({ scalar, sorted }) => scalar === 'f32' && !sorted)!;
      const combined = await runCombine(combine, out, new Uint32Array(1), given);
      const fused = await runDown(inFormat(expertDown, 'q4_0').find(form(1, way))!, h, {
        ...given,
        slots: placeExperts(experts, { shuffle: 6 }),
      });
      expect(combined).toEqual(fused);
      const options = { tokens: 4, ...shape, act: SILU };
      expectClose(fused, expertGluReference(step.x, step.ids, step.weights, experts.expert, options), {
        absolute: 1e-4,
        relative: 1e-5,
      });
    },
  );

  test('absent experts and ids without an expert contribute nothing', async () => {
    const slots = placeExperts(experts, { absent: [0, 3] });
    const ids = Uint32Array.from(step.ids);
    ids[2] = 6; // the sentinel of gate
    ids[7] = 0xffffffff;
    const given = { shape, experts, slots, step: { ...step, ids } };
    const some = (e: number) => (e === 0 || e === 3 ? undefined : experts.expert(e));
    const options = { tokens: 4, ...shape, act: SILU };
    const h = await runGateUp(gateUp, given);
    expectClose(h, expertGateUpReference(step.x, ids, some, options), sums(64, 4));
    const y = await runDown(down, h, given);
    const out = expertDownReference(h, ids, some, options);
    expectClose(y, expertCombineReference(out, step.weights, options), { ...sums(64, 16) });
    const pooled = { ...given, slots: placeExperts(experts, { pools: 4, absent: [0, 3] }) };
    const pairs = inFormat(expertDownPairs, 'q4_0').find(form(4, 'workgroup'))!;
    expectClose(await runPairs(pairs, h, pooled), out, { ...sums(64, 16) });
  });

  test.each([0, 1, 2, 3, 4, 5])('activation %i', async (act) => {
    const slots = placeExperts(experts);
    const h = await runGateUp(gateUp, { shape, experts, slots, step, act });
    const want = expertGateUpReference(step.x, step.ids, experts.expert, { tokens: 4, ...shape, act });
    expectClose(h, want, { absolute: 5e-5, relative: 1e-5 });
  });

  test('a token has the same bits alone and in a batch', async () => {
    const slots = placeExperts(experts);
    const all = await runGateUp(gateUp, { shape, experts, slots, step });
    const alone = { x: step.x.slice(64, 128), ids: step.ids.slice(3, 6), weights: step.weights.slice(3, 6) };
    const one = await runGateUp(gateUp, { shape, experts, slots, step: alone });
    expect(one).toEqual(all.slice(3 * 64, 6 * 64));
    const y = await runDown(down, all, { shape, experts, slots, step });
    expect(await runDown(down, one, { shape, experts, slots, step: alone })).toEqual(y.slice(64, 128));
  });

  test('expert width 1408', async () => {
    const wide = { experts: 2, hidden: 128, width: 1408, topK: 1 };
    const some = testExperts('q8_0', wide);
    const one = testStep(1, wide);
    const given = { shape: wide, experts: some, slots: placeExperts(some), step: one };
    const isPlain = ({ scalar, pools, biased }: GluVariant) => scalar === 'f32' && pools === 1 && !biased;
    for (const variant of runnable(gpu, withFormat(expertGateUp, 'q8_0'), isPlain)) {
      const h = await runGateUp(variant, given);
      const options = { tokens: 1, ...wide, act: SILU };
      expectClose(h, expertGateUpReference(one.x, one.ids, some.expert, options), sums(128, 4));
    }
    const h = randomNormal(1408, 5);
    for (const variant of runnable(gpu, withFormat(expertDown, 'q8_0'), isPlain)) {
      const y = await runDown(variant, h, given);
      const out = expertDownReference(h, one.ids, some.expert, { tokens: 1, ...wide });
      const want = expertCombineReference(out, one.weights, { tokens: 1, topK: 1, hidden: 128 });
      expectClose(y, want, sums(1408));
    }
  });
});

test('the reference gives a hand-computed pair', () => {
  const one = {
    gate: Float32Array.of(1, 0, 0, 2),
    up: Float32Array.of(1, 1, 1, -1),
    down: Float32Array.of(1, 1, 2, 0),
  };
  const y = expertGluReference(Float32Array.of(1, 2), Uint32Array.of(0), Float32Array.of(0.5), () => one, {
    tokens: 1,
    topK: 1,
    hidden: 2,
    width: 2,
    act: 3, // relu: h = (1 * 3, 4 * -1)
  });
  expect([...y]).toEqual([-0.5, 3]);
});

test('unpacking of quantised weights loses no bits with inputs of 1e4 to 6e4', async () => {
  const shape = { experts: 3, hidden: 256, width: 256, topK: 2 };
  const tokens = 2;
  const step = testStep(tokens, shape);
  const h = randomNormal(tokens * shape.topK * shape.width, 61).map(
    (value) => Math.sign(value) * (1e4 + 5e4 * Math.abs(value % 1)),
  );
  // Sums are near 3e5, beyond the range of f16.
  const quantised = ['q8_0', 'q4_0'].flatMap((format) =>
    runnable(gpu, withFormat(expertDown, format), ({ scalar, biased }) => scalar === 'f32' && !biased),
  );
  // The formats of codes share their products; the zero is in the middle of the codes, or they have an offset.
  const coded = ['q4_k', 'q6_k', 'mxfp4', 'iq4_nl'].flatMap((format) =>
    runnable(gpu, withFormat(expertDown, format), ({ scalar }) => scalar === 'f32').slice(0, 1),
  );
  for (const variant of [...quantised, ...coded]) {
    const experts = testExperts(variant.format, shape);
    const y = await runDown(variant, h, { shape, experts, slots: placeExperts(experts), step });
    const out = expertDownReference(h, step.ids, experts.expert, { tokens, ...shape });
    const want = expertCombineReference(out, step.weights, { tokens, ...shape });
    expectClose(y, want, { ...sums(shape.width, 3e4), label: expertDown.key(variant) });
  }
});
