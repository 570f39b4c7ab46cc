import { describe, expect, test } from 'vitest';
import { expertCombine } from './expert-combine.ts';
import { expertDown } from './expert-down.ts';
import { expertGateUp } from './expert-gate-up.ts';
import { expertDownReference, expertGateUpReference, expertGluReference } from './expert-glu.reference.ts';
import { expertDownTiled, expertGateUpTiled } from './expert-tiled.ts';
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
import type { GluTileVariant } from './glu-forms.ts';
import { sparseDispatchReference, type SparseDispatch } from './sparse-dispatch.reference.ts';
import {
  expectClose,
  isFirefox,
  numbers,
  randomNormal,
  rounded,
  runKernel,
  quickly,
  runnable,
  scalars,
  testGpu,
  UNWRITTEN,
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
}

const sums = (terms: number, size = 1) => ({ absolute: 2e-7 * Math.sqrt(terms) * size, relative: 1e-5 });

function sort({ shape, step }: Pick<Given, 'shape' | 'step'>, tileRows: number): SparseDispatch {
  return sparseDispatchReference(step.ids, {
    pairs: step.ids.length,
    experts: shape.experts,
    tileRows,
    argsY: 1,
    argsZ: 1,
  });
}

async function runGateUp(variant: GluTileVariant, { shape, experts, slots, step }: Given, first_strip = 0) {
  const { hidden, width, topK } = shape;
  const { tiles, args } = sort({ shape, step }, variant.tileRows);
  const { gate, up, gate_scales, up_scales, gate_bias, up_bias, slot_vec4 } = experts.offsets;
  const { table_base } = slots;
  const { h } = await runKernel(gpu, expertGateUpTiled, variant, {
    buffers: {
      x: scalars(step.x, variant.scalar),
      tiles,
      table: slots.table,
      h: { type: 'f32', count: step.ids.length * width },
      ...slots.pools,
    },
    params: {
      top_k: topK,
      hidden,
      width,
      act: SILU,
      table_base,
      slot_vec4,
      gate,
      up,
      gate_scales,
      up_scales,
      gate_bias,
      up_bias,
      first_strip,
    },
    size: { tiles: args[0]!, hidden, width },
  });
  return numbers(h);
}

async function runDown(
  variant: GluTileVariant,
  h: Float32Array<ArrayBuffer>,
  { shape, experts, slots, step }: Given,
  first_strip = 0,
) {
  const { hidden, width } = shape;
  const { tiles, args } = sort({ shape, step }, variant.tileRows);
  const { down, down_scales, down_bias, slot_vec4 } = experts.offsets;
  const { table_base } = slots;
  const { out } = await runKernel(gpu, expertDownTiled, variant, {
    buffers: {
      h,
      tiles,
      table: slots.table,
      out: { type: 'f32', count: step.ids.length * hidden },
      ...slots.pools,
    },
    params: { hidden, width, table_base, slot_vec4, down, down_scales, down_bias, first_strip },
    size: { tiles: args[0]!, hidden, width },
  });
  return numbers(out);
}

/** Rows by pair number from rows in sorted order, and the inverse. */
function bySort(rows: Float32Array, order: Uint32Array, cols: number, direction: 'to' | 'from') {
  const moved = new Float32Array(rows.length);
  for (const [place, pair] of order.entries()) {
    const [from, to] = direction === 'to' ? [pair, place] : [place, pair];
    moved.set(rows.subarray(from * cols, (from + 1) * cols), to * cols);
  }
  return moved;
}

// The lane form is for software adapters without f16; lavapipe takes a minute to compile one of them.
const FORMS = isFirefox ? (['staged'] as const) : (['staged', 'lane'] as const);

const isWanted = ({ form }: GluTileVariant) => FORMS.some((run) => run === form);
const keyed = <V extends GluTileVariant>(kernel: { key: (variant: V) => string }, variants: readonly V[]) =>
  variants.map((variant) => [kernel.key(variant), variant] as const);

/** Tokens, experts and sizes at and around the tiles of both forms: 8 x 32 and 32 x 32 (64 down). */
const SHAPES: readonly (readonly [tokens: number, shape: ExpertShape, skew: number])[] = [
  [1, { experts: 1, hidden: 32, width: 32, topK: 1 }, 1],
  [33, { experts: 2, hidden: 96, width: 64, topK: 1 }, 1],
  [31, { experts: 5, hidden: 64, width: 96, topK: 3 }, 2],
];

describe.each(keyed(expertGateUpTiled, quickly(runnable(gpu, expertGateUpTiled, isWanted))))(
  '%s',
  (_key, variant) => {
    test('shapes', async () => {
      for (const [tokens, shape, skew] of shapesIn(variant.format, SHAPES)) {
        const experts = testExperts(variant.format, shape);
        const slots = placeExperts(experts, { pools: variant.pools, shuffle: 3 });
        const step = testStep(tokens, shape, 7, skew);
        const h = await runGateUp(variant, { shape, experts, slots, step });
        const options = { tokens, ...shape, act: SILU };
        const want = expertGateUpReference(
          rounded(step.x, variant.scalar),
          step.ids,
          variant.biased ? experts.biased : experts.expert,
          options,
        );
        const { sorted } = sort({ shape, step }, variant.tileRows);
        const label = `${tokens} tokens, hidden ${shape.hidden}, width ${shape.width}`;
        expectClose(bySort(h, sorted, shape.width, 'from'), want, { ...sums(shape.hidden, 4), label });
      }
    });
  },
);

describe.each(keyed(expertDownTiled, quicklyEncoded(runnable(gpu, expertDownTiled, isWanted))))(
  '%s',
  (_key, variant) => {
    test('shapes', async () => {
      for (const [tokens, shape, skew] of shapesIn(variant.format, SHAPES)) {
        const experts = testExperts(variant.format, shape);
        const slots = placeExperts(experts, { pools: variant.pools, shuffle: 5 });
        const step = testStep(tokens, shape, 7, skew);
        const h = randomNormal(tokens * shape.topK * shape.width, 9);
        const { sorted } = sort({ shape, step }, variant.tileRows);
        const out = await runDown(variant, bySort(h, sorted, shape.width, 'to'), {
          shape,
          experts,
          slots,
          step,
        });
        const lookup = variant.biased ? experts.biased : experts.expert;
        const want = expertDownReference(h, step.ids, lookup, { tokens, ...shape });
        const label = `${tokens} tokens, hidden ${shape.hidden}, width ${shape.width}`;
        expectClose(bySort(out, sorted, shape.hidden, 'from'), want, { ...sums(shape.width), label });
      }
    });
  },
);

test.each(FORMS)('a piece of %s tiles writes the strips from its first on, and none before', async (form) => {
  const shape = { experts: 3, hidden: 288, width: 160, topK: 2 };
  const tokens = 5;
  const isForm = (variant: GluTileVariant) => variant.form === form && variant.pools === 1;
  const gateUp = runnable(gpu, withFormat(expertGateUpTiled, 'q8_0'), isForm)[0]!;
  const down = runnable(gpu, withFormat(expertDownTiled, 'q8_0'), isForm)[0]!;
  const experts = testExperts('q8_0', shape);
  const given = {
    shape,
    experts,
    slots: placeExperts(experts, { pools: 1, shuffle: 3 }),
    step: testStep(tokens, shape, 7, 1),
  };
  const lanes = form === 'lane' ? gateUp.wg : 1; // each lane has a strip
  const halves = [
    { run: (first: number) => runGateUp(gateUp, given, first), cols: shape.width, strip: 32 * lanes },
    {
      run: (first: number) => runDown(down, randomNormal(tokens * shape.topK * shape.width, 9), given, first),
      cols: shape.hidden,
      strip: 64 * lanes,
    },
  ];
  for (const { run, cols, strip } of halves) {
    const [whole, piece] = [await run(0), await run(1)];
    for (const [at, value] of piece.entries()) expect(value).toBe(at % cols < strip ? UNWRITTEN : whole[at]);
  }
});

const tiled = (kernel: { readonly variants: readonly GluTileVariant[] }, form: string, pools = 1) =>
  inFormat(kernel, 'q4_0').find(
    (variant) => variant.form === form && variant.scalar === 'f32' && variant.pools === pools,
  )!;

describe.each(FORMS)('many tokens: %s', (form) => {
  const gateUp = tiled(expertGateUpTiled, form);
  const down = tiled(expertDownTiled, form);

  async function expectWhole(given: Given): Promise<void> {
    const { shape, step, experts } = given;
    const tokens = step.ids.length / shape.topK;
    const h = await runGateUp(gateUp, given);
    const out = await runDown(down, h, given);
    const { place } = sort(given, gateUp.tileRows);
    const combine = expertCombine.variants.find(({ scalar, sorted }) => scalar === 'f32' && sorted)!;
    const { y } = await runKernel(gpu, expertCombine, combine, {
      buffers: { out, weights: step.weights, y: { type: 'f32', count: tokens * shape.hidden }, place },
      params: { tokens, top_k: shape.topK, hidden: shape.hidden },
      size: { tokens, hidden: shape.hidden },
    });
    const options = { tokens, ...shape, act: SILU };
    const want = expertGluReference(step.x, step.ids, step.weights, experts.expert, options);
    expectClose(numbers(y), want, { absolute: 2e-5 * Math.sqrt(shape.width), relative: 1e-5 });
  }

  test('more tokens per expert than two tiles, and experts without tokens', async () => {
    const shape = { experts: 8, hidden: 64, width: 32, topK: 2 };
    const experts = testExperts('q4_0', shape);
    await expectWhole({ shape, experts, slots: placeExperts(experts), step: testStep(75, shape, 3, 4) });
  });

  test('one expert takes all', async () => {
    const shape = { experts: 3, hidden: 32, width: 32, topK: 1 };
    const experts = testExperts('q4_0', shape);
    const step = { ...testStep(70, shape), ids: new Uint32Array(70).fill(1) };
    await expectWhole({ shape, experts, slots: placeExperts(experts), step });
  });

  test.each([64, 128])('%i experts', async (count) => {
    const shape = { experts: count, hidden: 32, width: 32, topK: 8 };
    const experts = testExperts('q4_0', shape);
    await expectWhole({
      shape,
      experts,
      slots: placeExperts(experts, { shuffle: 4 }),
      step: testStep(20, shape),
    });
  });

  test('expert width 1408', async () => {
    const shape = { experts: 2, hidden: 64, width: 1408, topK: 1 };
    const experts = testExperts('q4_0', shape);
    await expectWhole({ shape, experts, slots: placeExperts(experts), step: testStep(9, shape) });
  });

  test('the same bits with shuffled slots, four pools, and any other rows in the tile', async () => {
    const shape = { experts: 4, hidden: 64, width: 64, topK: 2 };
    const experts = testExperts('q4_0', shape);
    const step = testStep(40, shape);
    const given = { shape, experts, step, slots: placeExperts(experts) };
    const h = await runGateUp(gateUp, given);
    const out = await runDown(down, h, given);
    const shuffled = { ...given, slots: placeExperts(experts, { shuffle: 8 }) };
    expect(await runGateUp(gateUp, shuffled)).toEqual(h);
    expect(await runDown(down, h, shuffled)).toEqual(out);
    if (form === 'staged') {
      const spread = { ...given, slots: placeExperts(experts, { pools: 4, shuffle: 9 }) };
      expect(await runGateUp(tiled(expertGateUpTiled, form, 4), spread)).toEqual(h);
      expect(await runDown(tiled(expertDownTiled, form, 4), h, spread)).toEqual(out);
    }
    const last = { x: step.x.slice(39 * 64), ids: step.ids.slice(78), weights: step.weights.slice(78) };
    const alone = await runGateUp(gateUp, { ...given, step: last });
    const { place } = sort(given, gateUp.tileRows);
    const order = sort({ shape, step: last }, gateUp.tileRows).place;
    for (const rank of [0, 1]) {
      const [mine, among] = [order[rank]! * 64, place[78 + rank]! * 64];
      expect(alone.slice(mine, mine + 64)).toEqual(h.slice(among, among + 64));
    }
  });

  test('rows of absent experts are unchanged, so that another wave can fill them', async () => {
    const shape = { experts: 4, hidden: 32, width: 32, topK: 2 };
    const experts = testExperts('q4_0', shape);
    const step = testStep(12, shape);
    const given = { shape, experts, step, slots: placeExperts(experts, { absent: [2] }) };
    const h = await runGateUp(gateUp, given);
    const out = await runDown(down, h, given);
    const { place } = sort(given, gateUp.tileRows);
    for (const [pair, e] of step.ids.entries()) {
      const at = place[pair]! * 32;
      const isUntouched = (rows: Float32Array) =>
        rows.slice(at, at + 32).every((value) => value === UNWRITTEN);
      expect([isUntouched(h), isUntouched(out)], `pair ${pair} of expert ${e}`).toEqual([e === 2, e === 2]);
    }
  });

  test('few tokens by either path', async () => {
    const shape = { experts: 6, hidden: 64, width: 64, topK: 3 };
    const experts = testExperts('q4_0', shape);
    const step = testStep(4, shape);
    const given = { shape, experts, step, slots: placeExperts(experts) };
    const { gate, up, gate_scales, up_scales, down: downAt, down_scales, slot_vec4 } = experts.offsets;
    const { gate_bias, up_bias, down_bias } = experts.offsets;
    const { table, table_base, pools } = given.slots;
    const few = <V extends { form: string; format: string; scalar: string }>(kernel: {
      variants: readonly V[];
    }) => inFormat(kernel, 'q4_0').find((v) => v.form === 'lane' && v.scalar === 'f32')!;
    const common = { tokens: 4, top_k: 3, experts: 6, hidden: 64, width: 64, table_base, slot_vec4 };
    const { h } = await runKernel(gpu, expertGateUp, few(expertGateUp), {
      buffers: { x: step.x, ids: step.ids, table, h: { type: 'f32', count: 12 * 64 }, ...pools },
      params: { ...common, act: SILU, gate, up, gate_scales, up_scales, gate_bias, up_bias },
      size: { pairs: 12, hidden: 64, width: 64 },
    });
    const { y } = await runKernel(gpu, expertDown, few(expertDown), {
      buffers: {
        h: numbers(h),
        ids: step.ids,
        weights: step.weights,
        table,
        y: { type: 'f32', count: 4 * 64 },
        ...pools,
      },
      params: { ...common, down: downAt, down_scales, down_bias },
      size: { tokens: 4, hidden: 64, width: 64 },
    });
    const rows = await runGateUp(gateUp, given);
    const { sorted } = sort(given, gateUp.tileRows);
    expectClose(bySort(rows, sorted, 64, 'from'), numbers(h), sums(64, 4));
    const out = bySort(await runDown(down, rows, given), sorted, 64, 'from');
    const whole = new Float32Array(4 * 64);
    for (let pair = 0; pair < 12; pair += 1) {
      const token = Math.floor(pair / 3);
      for (let o = 0; o < 64; o += 1) {
        whole[token * 64 + o] = whole[token * 64 + o]! + step.weights[pair]! * out[pair * 64 + o]!;
      }
    }
    expectClose(whole, numbers(y), { absolute: 1e-4, relative: 1e-5 });
  });
});
