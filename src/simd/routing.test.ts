import { describe, expect, test } from 'vitest';
import { gateReference } from '../kernels/routing/gate.reference.ts';
import { productRouteReference } from '../kernels/routing/product-route.reference.ts';
import { randomNormal } from '../kernels/testing.ts';
import { Bench, BUILDS, error } from './testing.ts';

const CLOSE = 1e-5;
const SCORES = ['softmax', 'sigmoid', 'identity'] as const;
const SELECTIONS = ['all', 'max', 'two-best'] as const;
const WEIGHTINGS = ['none', 'sum', 'softmax', 'clamped-sum', 'exp', 'sparsemixer', 'sigmoid'] as const;

describe.each(BUILDS)('%s', (build) => {
  function gate(
    logits: Float32Array,
    bias: Float32Array | undefined,
    size: { tokens: number; experts: number; topK: number },
    rule: {
      score: (typeof SCORES)[number];
      renorm: (typeof WEIGHTINGS)[number];
      eps?: number;
      scale?: number;
      groups?: { count: number; keep: number; score: 'max' | 'two-best' };
    },
    factors?: Float32Array,
  ) {
    const { tokens, experts, topK } = size;
    const { score, renorm, eps = 1e-20, scale = 1, groups = null } = rule;
    const bench = new Bench(build);
    const [ids, weights] = [bench.room(tokens * topK), bench.room(tokens * topK)];
    bench.kernels.gate_top_k(
      ...([bench.put(logits), bias ? bench.put(bias) : 0, ids, weights, tokens, experts, topK] as const),
      ...([SCORES.indexOf(score), groups ? SELECTIONS.indexOf(groups.score) : 0] as const),
      ...([WEIGHTINGS.indexOf(renorm), groups?.count ?? 1, groups?.keep ?? 1] as const),
      ...([eps, scale, factors ? bench.put(factors) : 0, bench.scratch()] as const),
    );
    const wanted = gateReference(logits, bias ?? new Float32Array(experts), {
      ...size,
      rule: { score, renorm, eps, scale, groups },
      factors,
    });
    expect(bench.words(ids)).toEqual(wanted.ids);
    expect(error(bench.floats(weights), wanted.weights)).toBeLessThan(CLOSE);
  }

  const rules = SCORES.flatMap((score) => WEIGHTINGS.map((renorm) => ({ score, renorm })));
  test.each(rules)('gate_top_k: $score, $renorm', (rule) => {
    for (const [experts, topK] of [
      [1, 1],
      [7, 2],
      [64, 8],
      [130, 5],
    ] as const) {
      const size = { tokens: 3, experts, topK };
      const logits = randomNormal(3 * experts, experts);
      gate(logits, undefined, size, { ...rule, scale: 2.5 });
      gate(logits, randomNormal(experts, 2), size, { ...rule, eps: 0.5 }, randomNormal(experts, 3));
    }
  });

  test('gate_top_k: the lower id first among equals', () => {
    const size = { tokens: 2, experts: 37, topK: 6 };
    gate(new Float32Array(74), undefined, size, { score: 'softmax', renorm: 'sum' });
    gate(randomNormal(74, 1).map(Math.round), undefined, size, { score: 'identity', renorm: 'none' });
    const descending = Float32Array.from({ length: 74 }, (_, i) => -i);
    gate(descending, undefined, size, { score: 'identity', renorm: 'none' });
    gate(descending.toReversed(), undefined, size, { score: 'identity', renorm: 'none' });
  });

  test('gate_top_k: a bias that forbids leaves fewer than topK', () => {
    const bias = new Float32Array(9).fill(-1e38);
    bias.fill(0, 3, 5);
    gate(randomNormal(18, 1), bias, { tokens: 2, experts: 9, topK: 4 }, { score: 'sigmoid', renorm: 'sum' });
    bias.fill(-1e38);
    gate(
      randomNormal(18, 1),
      bias,
      { tokens: 2, experts: 9, topK: 4 },
      { score: 'softmax', renorm: 'softmax' },
    );
  });

  const groupings = (['max', 'two-best'] as const).flatMap((score) =>
    [
      { experts: 12, count: 3, keep: 1, topK: 2 },
      { experts: 64, count: 8, keep: 3, topK: 8 },
      { experts: 5, count: 5, keep: 2, topK: 3 }, // groups of one; fewer than topK are left
      { experts: 26, count: 2, keep: 2, topK: 4 },
    ].map((size) => ({ score, ...size })),
  );
  test.each(groupings)(
    'gate_top_k: $keep of $count groups by $score',
    ({ score, count, keep, experts, topK }) => {
      const size = { tokens: 4, experts, topK };
      const groups = { count, keep, score };
      for (const logits of [randomNormal(4 * experts, 1), randomNormal(4 * experts, 2).map(Math.round)]) {
        gate(logits, undefined, size, { score: 'sigmoid', renorm: 'sum', groups });
        gate(logits, randomNormal(experts, 3), size, { score: 'identity', renorm: 'none', groups });
        const bias = new Float32Array(experts).fill(-1e38, 0, experts - 2);
        gate(logits, bias, size, { score: 'identity', renorm: 'softmax', groups });
      }
    },
  );

  test('gate_top_k: affinities whose sum has no inverse', () => {
    const logits = new Float32Array(8).fill(-88.2);
    gate(logits, undefined, { tokens: 1, experts: 8, topK: 2 }, { score: 'sigmoid', renorm: 'sum', eps: 0 });
    gate(
      new Float32Array(8),
      undefined,
      { tokens: 1, experts: 8, topK: 2 },
      { score: 'identity', renorm: 'sum', eps: 0 },
    );
  });

  const routes = [
    { n: 1, topK: 1 },
    { n: 5, topK: 9 },
    { n: 16, topK: 4 },
    { n: 131, topK: 32 },
  ].flatMap((size) => [true, false].flatMap((isNormed) => [0, 1].map((log) => ({ ...size, isNormed, log }))));

  test.each(routes)('product_route, top $topK of $n^2, normed: $isNormed, log softmax: $log', (route) => {
    const { n, topK, isNormed, log: logSoftmax } = route;
    const [tokens, heads, eps] = [2, 3, 1e-3];
    const inputs = {
      random: randomNormal(tokens * heads * 2 * n, 1, 2),
      // Sums of these are exact, and many are equal; the norm's divisions are not.
      ties: randomNormal(tokens * heads * 2 * n, 2, 2).map(Math.round),
    };
    for (const [name, logits] of Object.entries(inputs)) {
      if (isNormed && name === 'ties') continue;
      for (const weigh of ['exp', 'softmax'] as const) {
        const bench = new Bench(build);
        const mean = randomNormal(2 * n, 3);
        const variance = randomNormal(2 * n, 4).map((value) => value * value + 0.1);
        const [ids, weights, sums] = [0, 1, 2].map(() => bench.room(tokens * heads * topK)) as [
          number,
          number,
          number,
        ];
        const statistics = isNormed ? ([bench.put(mean), bench.put(variance)] as const) : ([0, 0] as const);
        const run = (sumsAt: number) =>
          bench.kernels.product_route(
            ...([bench.put(logits), ...statistics, ids, weights, sumsAt, tokens, heads, n, topK] as const),
            ...([eps, logSoftmax, Number(weigh === 'softmax'), bench.scratch()] as const),
          );
        run(0);
        run(sums);
        const norm = isNormed ? { norm: { mean, variance, eps } } : {};
        const wanted = productRouteReference(logits, { tokens, heads, n, topK, logSoftmax, weigh, ...norm });
        expect(bench.words(ids)).toEqual(wanted.ids);
        expect(error(bench.floats(weights), wanted.weights)).toBeLessThan(CLOSE);
        expect(error(bench.floats(sums), wanted.scores)).toBeLessThan(CLOSE);
      }
    }
  });
});
