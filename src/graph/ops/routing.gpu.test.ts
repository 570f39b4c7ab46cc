/** The ops of routing rules, as software and as hardware, against their references. */
import { afterAll, describe, test } from 'vitest';
import { Gpu } from '../../gpu/device.ts';
import { capacityPlaces } from '../../kernels/routing/capacity.ts';
import type { ExpertChoiceRule } from '../../kernels/routing/expert-choice.ts';
import type { RouteRule } from '../../kernels/routing/route-rule.ts';
import { randomNormal, randomStream, testGpu } from '../../kernels/testing.ts';
import type { GraphBuilder } from '../builder.ts';
import { plainStep } from '../node.ts';
import { expectOp, type OpCase } from '../op.testing.ts';
import type { TensorRole } from '../tensor.ts';
import { cellsNode } from './cells.ts';
import { expertRoomNode, heldRowsNode, promptRowsNode } from './kept-routing.ts';
import { routeNode, routeScoresNode } from './route.ts';
import { capacityNode, expertChoiceNode, sinkhornNode } from './sequence-routing.ts';

const software = await testGpu();
const hardware = await Gpu.open({ features: ['subgroups'], adapterClass: 'hardware' });
afterAll(() => hardware.dispose());

const STEPS = [plainStep(1, 0), plainStep(7, 1)];
const TOLERANCE = { absolute: 2e-6, relative: 2e-5 };

const f32 = (builder: GraphBuilder, name: string, role: TensorRole, perToken: number) =>
  builder.tensor(name, { type: 'f32', role, perToken });
const u32 = (builder: GraphBuilder, name: string, role: TensorRole, perToken: number) =>
  builder.tensor(name, { type: 'u32', role, perToken });
/** Multiples of 1/16: ties are exact in any precision. */
const coarse = (count: number) => randomNormal(count, 3, 2).map((value) => Math.round(16 * value) / 16);

function expectBoth<Io extends object>(
  name: string,
  one: Omit<OpCase<Io>, 'steps'> & Partial<OpCase<Io>>,
): void {
  describe(name, () => {
    test.each([
      ['software', software],
      ['hardware', hardware],
    ])('as %s', (_as, gpu) => expectOp(gpu, { steps: STEPS, tolerance: TOLERANCE, ...one }));
  });
}

const softmax = [{ kind: 'softmax' }] as const;

expectBoth('a rule with vectors of layer and request, null experts, filters and all outputs that fit', {
  make: routeNode,
  io: (builder) => ({
    scores: f32(builder, 'scores', 'input', 14),
    inputs: {
      vectors: builder.exact('vectors', 2, 14),
      requestVectors: builder.tensor('request', { type: 'f32', role: 'input', fixed: 14 }),
    },
    ids: u32(builder, 'ids', 'output', 5),
    weights: f32(builder, 'weights', 'output', 5),
    outputs: {
      affinities: f32(builder, 'affinities', 'output', 14),
      largest: f32(builder, 'largest', 'output', 1),
      values: f32(builder, 'values', 'output', 14),
    },
    experts: 10,
    most: 5,
    rule: {
      steps: [{ kind: 'add', by: { vector: 2 } }, ...softmax],
      select: {
        choice: { kind: 'topK', k: 5 },
        bias: { vector: 0 },
        drop: [{ kind: 'belowRatio', ratio: 0.3 }],
      },
      weigh: { normalise: 'sum', expertScale: { vector: 1 } },
      nullExperts: 4,
      layerVectors: 2,
    } satisfies RouteRule,
  }),
  values: { scores: coarse, request: coarse },
});

expectBoth('a rule by given ids with weights of the caller', {
  make: routeNode,
  io: (builder) => ({
    scores: f32(builder, 'scores', 'input', 300),
    inputs: { givenIds: u32(builder, 'given', 'input', 3), rawWeights: f32(builder, 'raw', 'input', 3) },
    ids: u32(builder, 'ids', 'output', 3),
    weights: f32(builder, 'weights', 'output', 3),
    experts: 300,
    most: 3,
    rule: {
      steps: [],
      select: { choice: { kind: 'given', places: 3 } },
      weigh: { from: 'place' },
    } satisfies RouteRule,
  }),
  values: { given: (count) => Uint32Array.from({ length: count }, (_, at) => (at * 77) % 301) },
});

/** Of 30 experts, among them 30, which is none; with several names of one expert in a token. */
const named = (count: number) => Uint32Array.from({ length: count }, (_, at) => (at * 7) % 31);
const names = (count: number) => Float32Array.from({ length: count }, (_, name) => (name * 3) % 5);

expectBoth('ids of experts by their names', {
  make: cellsNode,
  io: (builder) => ({
    cell: 'alias-ids' as const,
    inputs: [builder.exact('table', 30, 1)],
    ids: u32(builder, 'named', 'input', 6),
    y: u32(builder, 'ids', 'output', 6),
    n: [30, 5],
  }),
  values: { named, table: names },
});

expectBoth('weights of experts by their names', {
  make: cellsNode,
  io: (builder) => ({
    cell: 'alias-weights' as const,
    inputs: [builder.exact('table', 30, 1), f32(builder, 'weights', 'input', 6)],
    ids: u32(builder, 'named', 'input', 6),
    y: f32(builder, 'sums', 'output', 6),
    n: [30],
  }),
  values: { named, table: names },
});

expectBoth('steps with a mask of the token', {
  make: routeScoresNode,
  io: (builder) => ({
    scores: f32(builder, 'scores', 'input', 40),
    inputs: { tokenMask: f32(builder, 'mask', 'input', 40) },
    outputs: {
      affinities: f32(builder, 'affinities', 'output', 40),
      logits: f32(builder, 'logits', 'output', 40),
    },
    experts: 40,
    rule: { steps: [{ kind: 'mask', by: 'token' }, ...softmax] as const },
  }),
  values: {
    mask: (count) => {
      const next = randomStream(1);
      return Float32Array.from({ length: count }, () => Math.floor(2 * next()));
    },
  },
});

/** Seven tokens in three sequences, of which one is empty; or any number in one. */
const DIVISIONS = {
  'one sequence': {
    steps: STEPS,
    sequences: () => undefined,
    values: { values: coarse },
  },
  'three sequences': {
    steps: [plainStep(7, 0)],
    sequences: (builder: GraphBuilder) => ({
      count: 3,
      offsets: builder.tensor('offsets', { type: 'u32', role: 'input', fixed: 4 }),
    }),
    values: { values: coarse, offsets: () => Uint32Array.of(0, 3, 3, 7) },
  },
} as const;

for (const [name, { steps, sequences, values }] of Object.entries(DIVISIONS)) {
  expectBoth(`sinkhorn of ${name}`, {
    make: sinkhornNode,
    io: (builder) => ({
      values: f32(builder, 'values', 'input', 6),
      balanced: f32(builder, 'balanced', 'output', 6),
      sequences: sequences(builder),
      ...{ experts: 6, iterations: 10, temperature: 0.5 },
    }),
    steps,
    values,
  });

  for (const isAcross of [false, true]) {
    expectBoth(`a choice by experts of ${name}${isAcross ? ', weighed across tokens' : ''}`, {
      make: expertChoiceNode,
      io: (builder) => ({
        values: f32(builder, 'values', 'input', 6),
        given: u32(builder, 'given', 'output', 6),
        ...(isAcross
          ? { across: { raw: f32(builder, 'raw', 'input', 6), shares: f32(builder, 'shares', 'output', 6) } }
          : {}),
        sequences: sequences(builder),
        experts: 6,
        rule: {
          room: { factor: 2, round: 'ceil' },
          least: 1,
          ...(isAcross ? { across: { normalise: 'softmax' } } : {}),
        } satisfies ExpertChoiceRule,
      }),
      steps,
      values,
    });
  }

  const rule = { room: { factor: 1.25 }, order: 'token', overflow: 'reroute', fill: true } as const;
  expectBoth(`experts of limited room in ${name}`, {
    make: capacityNode,
    io: (builder) => ({
      ids: u32(builder, 'ids', 'input', 2),
      values: f32(builder, 'values', 'input', 6),
      given: u32(builder, 'given', 'output', capacityPlaces(rule, 2, 6)),
      sequences: sequences(builder),
      ...{ experts: 6, k: 2, rule },
    }),
    steps,
    values: {
      ...values,
      ids: (count: number) => Uint32Array.from({ length: count }, (_, at) => (at % 2) + (at % 3)),
    },
  });
}

const KEPT_STEPS = [plainStep(7, 0), plainStep(1, 7), plainStep(6, 8)];

expectBoth('rows that hold for runs of 4 positions', {
  make: heldRowsNode,
  io: (builder) => ({
    x: f32(builder, 'x', 'input', 5),
    kept: builder.tensor('kept', { type: 'f32', role: 'state', fixed: 4 * 5 }),
    y: f32(builder, 'y', 'output', 5),
    ...{ every: 4, keeps: true },
  }),
  steps: KEPT_STEPS,
});

expectBoth('experts with room for so many tokens', {
  make: expertRoomNode,
  io: (builder) => ({
    ids: u32(builder, 'ids', 'input', 2),
    chosen: builder.tensor('chosen', { type: 'u32', role: 'state', fixed: 14 * 2 }),
    given: u32(builder, 'given', 'output', 2),
    ...{ room: 3, keeps: true },
  }),
  steps: KEPT_STEPS,
  values: {
    ids: (count) => Uint32Array.from({ length: count }, (_, at) => (at % 2) + (at % 3)),
    chosen: (count) => new Uint32Array(count),
  },
});

expectBoth('the row of a prompt', {
  make: promptRowsNode,
  io: (builder) => ({
    x: f32(builder, 'x', 'input', 5),
    kept: builder.tensor('kept', { type: 'f32', role: 'state', fixed: 5, rewind: 'parity' }),
    y: f32(builder, 'y', 'output', 5),
    keeps: true,
  }),
  steps: [plainStep(7, 0), plainStep(1, 7)],
  values: { x: (count) => Float32Array.from({ length: count }, (_, at) => at % 5) },
});
