/** What routing rules have in common, and which rules are special cases of others, on the reference. */
import { describe, expect, test } from 'vitest';
import { randomNormal, randomStream } from '../../kernels/testing.ts';
import {
  routesOf,
  tokenRoutes,
  type Routes,
  type RoutingRun,
  type WrittenRouting,
} from './identities.testing.ts';
import type { StepDescription } from './stages.ts';

const EXPERTS = 16;
const TOKENS = 10_000;

const softmax: StepDescription = { kind: 'softmax' };
const many = { scores: randomNormal(TOKENS * EXPERTS, 1, 2), experts: EXPERTS } as const;
const few = { scores: randomNormal(32 * EXPERTS, 2, 2), experts: EXPERTS, most: EXPERTS } as const;

const topK = (k: number, more: Partial<WrittenRouting> = {}): WrittenRouting => ({
  transform: [softmax],
  select: { kind: 'topK', k },
  ...more,
});

/** The rows [tokens, width] in another order. */
function inOrder<T extends Float32Array | Uint32Array>(rows: T, width: number, order: readonly number[]): T {
  const values = rows.slice() as T;
  order.forEach((from, at) => values.set(rows.subarray(from * width, (from + 1) * width), at * width));
  return values;
}

describe('presets against plain functions of one row', () => {
  const shares = (row: number[]) => {
    const largest = Math.max(...row);
    const exps = row.map((value) => Math.exp(value - largest));
    const sum = exps.reduce((total, each) => total + each, 0);
    return exps.map((each) => each / sum);
  };
  const sigmoids = (row: number[]) => row.map((value) => 1 / (1 + Math.exp(-value)));
  const byValue = (values: readonly number[]) =>
    [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);
  const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const renormalised = (weights: number[]) => weights.map((weight) => weight / sumOf(weights));
  const bias = randomNormal(EXPERTS, 3, 0.2);
  /** Four groups of four, of which the two with the largest sums of two stay. */
  const inGroups = (values: readonly number[]) => {
    const worth = [0, 1, 2, 3].map((g) =>
      sumOf([...values.slice(4 * g, 4 * g + 4)].sort((a, b) => b - a).slice(0, 2)),
    );
    const kept = byValue(worth).slice(0, 2);
    return values.map((value, e) => (kept.includes(Math.floor(e / 4)) ? value : -Infinity));
  };
  const scaled = (weights: number[]) => renormalised(weights).map((weight) => 2.5 * weight);

  test.each<[string, WrittenRouting, number, (row: number[]) => number[], typeof inGroups, typeof shares]>([
    [
      'Mixtral: softmax, top 2, divided by their sum',
      topK(2, { weigh: { normalise: 'sum' } }),
      2,
      shares,
      (a) => [...a],
      renormalised,
    ],
    ['Switch: top 1', topK(1), 1, shares, (a) => [...a], (w) => w],
    ['DeepSeek-V2: top 6 of the softmax', topK(6), 6, shares, (a) => [...a], (w) => w],
    [
      'HyperRouter: top 4, softmax of their logits',
      { select: { kind: 'topK', k: 4 }, weigh: { from: 'logits', normalise: 'softmax' } },
      4,
      (row) => row,
      (a) => [...a],
      shares,
    ],
    [
      'DeepSeek-V3: sigmoid, bias, groups, scale',
      {
        transform: [{ kind: 'sigmoid' }],
        select: {
          ...{ kind: 'topK', k: 4, bias: 'bias' },
          groups: { count: 4, keep: 2, by: 'sumOfTopTwo' },
        },
        weigh: { normalise: 'sum', epsilon: 1e-20, scale: 2.5 },
      },
      4,
      sigmoids,
      (a) => inGroups(a.map((value, e) => value + bias[e]!)),
      scaled,
    ],
    [
      'BASE: top 1 by logits, its sigmoid',
      { transform: [{ kind: 'sigmoid' }], select: { kind: 'topK', k: 1, by: 'logits' } },
      1,
      sigmoids,
      (a) => [...a],
      (w) => w,
    ],
  ])('%s', (_name, router, k, affinities, compared, weigh) => {
    const run = { ...many, most: k, tensors: { bias } };
    const routes = routesOf(router, run);
    let close = 0;
    for (let token = 0; token < TOKENS; token += 1) {
      const a = affinities([...many.scores.subarray(token * EXPERTS, (token + 1) * EXPERTS)]);
      const values = compared(a);
      const order = byValue(values);
      const margins = order.slice(0, k).map((e, rank) => values[e]! - values[order[rank + 1]!]!);
      // Order within the margin of single precision is not defined by f64.
      if (Math.min(...margins) < 1e-5) {
        close += 1;
        continue;
      }
      const wanted = order.slice(0, k);
      const weights = weigh(wanted.map((e) => a[e]!));
      const got = tokenRoutes(routes, token, run);
      if (got.some(([id], rank) => id !== wanted[rank])) expect(got.map(([id]) => id)).toEqual(wanted);
      const error = Math.max(...got.map(([, weight], rank) => Math.abs(weight - weights[rank]!)));
      if (!(error < 1e-5)) expect(error).toBeLessThan(1e-5);
    }
    expect(close).toBeLessThan(TOKENS / 20);
  });
});

describe('routes within a token', () => {
  test('weights that are divided by their sum add up to 1', () => {
    const { weights } = routesOf(topK(4, { weigh: { normalise: 'sum' } }), { ...many, most: 4 });
    for (let token = 0; token < TOKENS; token += 1) {
      const sum = weights.subarray(token * 4, token * 4 + 4).reduce((total, weight) => total + weight, 0);
      if (Math.abs(sum - 1) > 1e-6) expect(sum).toBeCloseTo(1, 6);
    }
  });

  test('a selection bias changes which experts are chosen, never the weight of one that stays', () => {
    const run = { ...many, most: 4, tensors: { bias: randomNormal(EXPERTS, 4, 0.1) } };
    const plain = routesOf(topK(4), run);
    const biased = routesOf(topK(4, { select: { kind: 'topK', k: 4, bias: 'bias' } }), run);
    let changed = 0;
    for (let token = 0; token < TOKENS; token += 1) {
      const before = new Map(tokenRoutes(plain, token, run));
      for (const [id, weight] of tokenRoutes(biased, token, run)) {
        if (!before.has(id)) changed += 1;
        else if (before.get(id) !== weight) expect(weight).toBe(before.get(id));
      }
    }
    expect(changed).toBeGreaterThan(TOKENS / 10);
  });

  test('masked experts are never chosen, in the softmax or behind it', () => {
    const mask = Float32Array.from({ length: EXPERTS }, (_, e) => Number(e % 3 === 0));
    const masked: StepDescription = { kind: 'mask', tensor: 'mask' };
    for (const transform of [
      [masked, softmax],
      [softmax, masked],
      [masked, { kind: 'sigmoid' } as const],
    ]) {
      const { ids } = routesOf(topK(8, { transform }), { ...many, most: 8, tensors: { mask } });
      const chosen = new Set(ids);
      expect([...chosen].sort((a, b) => a - b)).toEqual([0, 3, 6, 9, 12, 15, EXPERTS]);
    }
  });

  test('tokens in another order have the same bits in that order', () => {
    const next = randomStream(5);
    const order = [...few.scores.keys()].slice(0, 32).sort(() => next() - 0.5);
    const router = topK(4, { weigh: { normalise: 'sum' } });
    const run = { ...few, most: 4 };
    const plain = routesOf(router, run);
    const other = routesOf(router, { ...run, scores: inOrder(few.scores, EXPERTS, order) });
    expect(other.ids).toEqual(inOrder(plain.ids, 4, order));
    expect(other.weights).toEqual(inOrder(plain.weights, 4, order));
  });
});

const equal = ({ experts }: RoutingRun) => new Float32Array(8 * experts);
const oneHot = ({ experts }: RoutingRun) =>
  Float32Array.from({ length: experts }, (_, e) => (e === 5 ? 300 : 0));

test.each<[string, WrittenRouting, Float32Array, number[], number[]]>([
  ['equal scores: the lowest ids', topK(3), equal(few), [0, 1, 2], [1 / 16, 1 / 16, 1 / 16]],
  ['one hot', topK(3), oneHot(few), [5, 0, 1], [1, 0, 0]],
  [
    'no positive score: no expert',
    { transform: [{ kind: 'relu' }], select: { kind: 'positive' }, weigh: { normalise: 'sum' } },
    new Float32Array(EXPERTS).fill(-1),
    [],
    [],
  ],
  [
    'sums that are exactly P: one more, where the rule crosses it',
    { transform: [softmax], select: { kind: 'topP', p: 0.125, rule: 'crossing' } },
    equal(few),
    [0, 1, 2],
    [1 / 16, 1 / 16, 1 / 16],
  ],
  [
    'sums that are exactly P: those within it',
    { transform: [softmax], select: { kind: 'topP', p: 0.125, rule: 'within' } },
    equal(few),
    [0, 1],
    [1 / 16, 1 / 16],
  ],
])('%s', (_name, router, scores, ids, weights) => {
  const routes = tokenRoutes(routesOf(router, { ...few, scores }), 0, few);
  expect(routes.map(([id]) => id)).toEqual(ids);
  routes.forEach(([, weight], rank) => expect(weight).toBeCloseTo(weights[rank]!, 6));
});

/** Descriptions of which the second is a special case of the first. */
test.each<[string, WrittenRouting, WrittenRouting, Partial<RoutingRun>?]>([
  [
    'no bias and one group: top k',
    topK(4, { select: { kind: 'topK', k: 4, bias: 'zeros', groups: { count: 1, keep: 1, by: 'max' } } }),
    topK(4),
  ],
  [
    'all groups kept: top k',
    topK(4, { select: { kind: 'topK', k: 4, groups: { count: 4, keep: 4, by: 'max' } } }),
    topK(4),
  ],
  ['the best of one group: top 1', topK(1, { select: { kind: 'topOfEach', groups: 1 } }), topK(1)],
  ['the first ranks: top k', topK(3, { select: { kind: 'ranks', ranks: [0, 1, 2] } }), topK(3)],
  [
    'P = 1: all experts, by their softmax',
    topK(1, { select: { kind: 'topP', p: 1, rule: 'crossing' } }),
    topK(EXPERTS),
  ],
  [
    'a threshold of 0: top k',
    topK(4, { select: { kind: 'topK', k: 4, drop: [{ kind: 'belowThreshold', thresholds: [0] }] } }),
    topK(4),
  ],
  [
    'a ratio of 0: top k',
    topK(4, { select: { kind: 'topK', k: 4, drop: [{ kind: 'belowRatio', ratio: 0 }] } }),
    topK(4),
  ],
  [
    'an importance range of one number: top k',
    topK(4, { select: { kind: 'topK', k: { from: 'importance', name: 'halves', least: 3, most: 3 } } }),
    topK(3),
  ],
  [
    'scores mixed by the identity: scores',
    topK(4, { transform: [{ kind: 'mixTokens', name: 'identity' }, softmax] }),
    topK(4),
  ],
  ['a bias of 0 by request', topK(4), topK(4), { hooks: { bias: 'zeros' } }],
  ['steering by 0', topK(4), topK(4), { hooks: { steer: { experts: [1, 2], mode: 'soft', strength: 0 } } }],
  ['an empty mask', topK(4), topK(4), { hooks: { mask: [] } }],
  ['the first ranks by request', topK(4), topK(4), { hooks: { ranks: [0, 1, 2, 3] } }],
  ['room for all', topK(4, { capacity: { factor: 1000 } }), topK(4)],
])('%s', (_name, router, special, more = {}) => {
  const tokens = few.scores.length / EXPERTS;
  const tensors = {
    zeros: new Float32Array(EXPERTS),
    halves: new Float32Array(tokens).fill(0.5),
    identity: Float32Array.from({ length: tokens * tokens }, (_, at) => Number(at % (tokens + 1) === 0)),
  };
  const wanted = routesOf(special, few);
  const got = routesOf(router, { ...few, tensors, ...more });
  expect(got.ids).toEqual(wanted.ids);
  expect(got.weights).toEqual(wanted.weights);
});

test('null experts that no token scores: top k', () => {
  const scored = EXPERTS + 4;
  const tokens = few.scores.length / EXPERTS;
  const scores = new Float32Array(tokens * scored).fill(-Infinity);
  for (let t = 0; t < tokens; t += 1) {
    scores.set(few.scores.subarray(t * EXPERTS, (t + 1) * EXPERTS), t * scored);
  }
  const weigh = { normalise: 'sum' } as const;
  const got = routesOf(topK(4, { nullExperts: 4, weigh }), { ...few, scores });
  expect(got).toEqual(routesOf(topK(4, { weigh }), few));
});

test('exactly k positive scores: top k of the ReLU', () => {
  const relu: readonly StepDescription[] = [{ kind: 'relu' }];
  const scores = few.scores.map((value, at) => (at % 4 === 1 ? 1 + Math.abs(value) : -Math.abs(value)));
  const got = routesOf({ transform: relu, select: { kind: 'positive' } }, { ...few, scores });
  expect(got).toEqual(routesOf(topK(4, { transform: relu }), { ...few, scores }));
});

test('the replay of recorded routes gives them again', () => {
  const recorded = routesOf(topK(4), { ...few, most: 4 });
  const run = { ...few, most: 4, tensors: { ...recorded } };
  for (const weights of ['recompute', 'weights']) {
    expect(routesOf(topK(4), { ...run, hooks: { replay: { ids: 'ids', weights } } })).toEqual(recorded);
  }
});

describe('rules over sequences', () => {
  /** The number of tokens of each expert. */
  const loads = ({ ids }: Routes) =>
    Array.from({ length: EXPERTS }, (_, e) => ids.filter((id) => id === e).length);
  const byExperts: WrittenRouting = {
    transform: [softmax],
    select: { kind: 'expertChoice', factor: 2 },
  };

  test('experts that choose take the same number of tokens each; tokens have different numbers', () => {
    const routes = routesOf(byExperts, few);
    expect(loads(routes)).toEqual(Array<number>(EXPERTS).fill(4)); // 32 tokens * 2 / 16 experts
    const counts = Array.from({ length: 32 }, (_, token) => tokenRoutes(routes, token, few).length);
    expect(new Set(counts).size).toBeGreaterThan(2);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(EXPERTS * 4);
  });

  test('filling leaves no room', () => {
    const router = topK(2, { capacity: { factor: 1, fill: true } });
    expect(loads(routesOf(router, few))).toEqual(Array<number>(EXPERTS).fill(4)); // 32 tokens * 2 / 16 experts
  });

  test.each<[string, WrittenRouting]>([
    ['top k', topK(2)],
    ['expert choice', byExperts],
    ['capacity', topK(2, { capacity: { factor: 0.5 } })],
    [
      'capacity with another choice',
      topK(2, { capacity: { factor: 0.75, overflow: 'reroute', fill: true } }),
    ],
    ['sinkhorn', topK(2, { transform: [{ kind: 'sinkhorn', temperature: 1 }] })],
  ])('%s of a sequence has the same bits beside any other sequences', (_name, router) => {
    const alone = routesOf(router, few);
    for (const factor of [0, 1, -50, 100]) {
      const others = few.scores.map((value) => factor * value);
      const scores = Float32Array.from([...others, ...few.scores, ...others]);
      const batch = routesOf(router, { ...few, scores, offsets: [0, 32, 64, 96] });
      const own = ({ ids, weights }: Routes) => ({
        ids: ids.slice(32 * EXPERTS, 64 * EXPERTS),
        weights: weights.slice(32 * EXPERTS, 64 * EXPERTS),
      });
      expect(own(batch)).toEqual(alone);
    }
  });
});
