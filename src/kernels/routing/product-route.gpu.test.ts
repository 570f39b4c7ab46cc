import { describe, expect, test } from 'vitest';
import { fitsHalves, halvesWords, productHalves, type ProductHalvesVariant } from './product-halves.ts';
import { fitsRoute, MAX_COUNT_TOP_K, productRoute, type ProductRouteForm } from './product-route.ts';
import { productRouteReference, type ProductRouteOptions } from './product-route.reference.ts';
import {
  expectClose,
  randomNormal,
  randomStream,
  runKernel,
  runnable,
  testGpu,
  type Values,
} from '../testing.ts';

const gpu = await testGpu();
const halvesVariants = runnable(gpu, productHalves);
const routeVariants = runnable(gpu, productRoute);

type Numbers = Float32Array<ArrayBuffer>;

const control: ProductRouteOptions = {
  tokens: 3,
  heads: 1,
  n: 64,
  topK: 32,
  logSoftmax: 1,
  weigh: 'exp',
};

async function route(
  logits: Numbers,
  { tokens, heads, n, topK, logSoftmax, weigh, norm, split }: ProductRouteOptions,
  halvesVariant: ProductHalvesVariant = { form: 'runs', subgroups: false, wg: 16 },
  routeForm: ProductRouteForm = {
    form: topK <= MAX_COUNT_TOP_K ? 'count' : 'bins',
    subgroups: false,
    wg: 64,
  },
) {
  const rows = tokens * heads;
  const k = Math.min(n, topK);
  const first = await runKernel(gpu, productHalves, halvesVariant, {
    buffers: {
      scores: logits,
      mean: norm ? Float32Array.from(norm.mean) : logits,
      variance: norm ? Float32Array.from(norm.variance) : logits,
      halves: { type: 'u32', count: halvesWords(2 * rows, k) },
    },
    params: {
      ...{ rows: 2 * rows, n, k, norm: norm ? 1 : 0, eps: norm?.eps ?? 0, log_softmax: logSoftmax },
      apart: split === 'prompt' ? tokens : 0,
    },
    size: { rows: 2 * rows },
  });
  const { ids, scores, weights } = await runKernel(
    gpu,
    productRoute,
    { ...routeForm, weigh },
    {
      buffers: {
        halves: first.halves,
        ids: { type: 'u32', count: rows * topK },
        scores: { type: 'f32', count: rows * topK },
        weights: { type: 'f32', count: rows * topK },
      },
      params: { rows, n, k, top_k: topK, eps: 0, scale: 1 },
      size: { rows },
    },
  );
  return { ids, scores, weights };
}

/** Ids must agree except where adjacent scores differ by no more than rounding errors. */
function expectSameRoute(
  got: { readonly ids: Values; readonly scores: Values; readonly weights: Values },
  want: ReturnType<typeof productRouteReference>,
  topK: number,
): void {
  expectClose(got.scores, want.scores, { absolute: 2e-5, relative: 1e-5, label: 'scores' });
  expectClose(got.weights, want.weights, { absolute: 1e-6, relative: 5e-5, label: 'weights' });
  const isClose = (a: number, b: number) => Math.abs(want.scores[a]! - want.scores[b]!) <= 1e-4;
  for (let at = 0; at < want.ids.length; at += 1) {
    const rank = at % topK;
    const before = rank > 0 && isClose(at - 1, at);
    const after = rank === topK - 1 || isClose(at, at + 1); // the score after the last is unknown here
    if (!before && !after) expect(got.ids[at], `id ${at}`).toBe(want.ids[at]);
  }
}

test.each([1, 2, 5])('the scores of a prompt of %i in halves', async (tokens) => {
  const options = { ...control, tokens, topK: 9, split: 'prompt' } as const;
  const logits = randomNormal(tokens * 2 * 64, 3, 2);
  const want = productRouteReference(logits, options);
  for (const variant of halvesVariants.filter((each) => fitsHalves(each, 64)))
    expectSameRoute(await route(logits, options, variant), want, 9);
  // The first half of the list are rows, the second columns: token t has row scores t and column scores tokens + t.
  const half = (at: number) => logits.subarray(at * 64, (at + 1) * 64);
  const last = Float32Array.from([...half(tokens - 1), ...half(2 * tokens - 1)]);
  const alone = productRouteReference(last, { ...control, tokens: 1, topK: 9 });
  expect([...want.ids.subarray(-9)]).toEqual([...alone.ids]);
});

describe.each(routeVariants.map((variant) => [productRoute.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    const sizes = [1, 2, 24, 32, 34, 63, 64, 65, 200, 512].filter((topK) => fitsRoute(variant, topK));
    test.each(sizes)('topK %i of 96 x 96', async (topK) => {
      const options = { ...control, n: 96, topK, weigh: variant.weigh };
      const logits = randomNormal(options.tokens * 2 * 96, 3, 2);
      const got = await route(logits, options, undefined, variant);
      expectSameRoute(got, productRouteReference(logits, { ...options, bruteForce: true }), topK);
    });

    test.each([
      ['few values', 3],
      ['all equal', 1],
    ])('ties go to the lower id: %s', async (_name, values) => {
      const next = randomStream(7);
      const options = { ...control, n: 40, topK: variant.form === 'bins' ? 150 : 33, weigh: variant.weigh };
      const logits = Float32Array.from({ length: options.tokens * 80 }, () => Math.floor(values * next()));
      const got = await route(logits, options, undefined, variant);
      const want = productRouteReference(logits, { ...options, bruteForce: true });
      expect([...got.ids]).toEqual([...want.ids]);
      expectClose(got.scores, want.scores, { absolute: 2e-5 });
    });
  },
);

describe.each(halvesVariants.map((variant) => [productHalves.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    const sizes = [1, 3, 20, 63, 64, 65, 127, 128, 129, 320, 1000, 1024].filter((n) =>
      fitsHalves(variant, n),
    );
    test.each(sizes)('n %i', async (n) => {
      const options = { ...control, n, topK: Math.min(32, n * n) };
      const logits = randomNormal(options.tokens * 2 * n, n, 2);
      const got = await route(logits, options, variant);
      expectSameRoute(got, productRouteReference(logits, options), options.topK);
    });

    test('ties keep their order through every merge', async () => {
      const next = randomStream(11);
      const n = variant.form === 'quad' ? 60 : 700;
      const options = { ...control, n, topK: 60 };
      const logits = Float32Array.from({ length: options.tokens * 2 * n }, () => Math.floor(5 * next()));
      const got = await route(logits, options, variant);
      expect([...got.ids]).toEqual([...productRouteReference(logits, options).ids]);
    });
  },
);

test.each([
  ['one token', { tokens: 1 }],
  ['k = n', { n: 20, topK: 24 }],
  ['all of a small grid', { n: 3, topK: 9 }],
  ['all of a grid, by bins', { n: 16, topK: 256 }],
  [
    'heads with plain sums and softmax weights',
    { heads: 8, n: 48, topK: 16, logSoftmax: 0, weigh: 'softmax' },
  ],
  ['renormalised', { weigh: 'softmax' }],
  ['renormalised, many', { n: 320, topK: 512, weigh: 'softmax' }],
  ['a million experts, many', { tokens: 2, n: 1024, topK: 512 }],
])('%s', async (_name, change) => {
  const options = { ...control, ...change };
  const logits = randomNormal(options.tokens * options.heads * 2 * options.n, 5);
  const got = await route(logits, options);
  const bruteForce = options.n <= 64;
  expectSameRoute(got, productRouteReference(logits, { ...options, bruteForce }), options.topK);
});

test('batch-norm statistics are per half and column', async () => {
  const variance = randomNormal(128, 22).map((value) => 0.05 + value * value);
  const options = { ...control, heads: 2, norm: { mean: randomNormal(128, 21), variance, eps: 1e-5 } };
  const logits = randomNormal(options.tokens * 2 * 128, 23);
  const got = await route(logits, options);
  expectSameRoute(got, productRouteReference(logits, { ...options, bruteForce: true }), options.topK);
});

test('one outlier in each half moves all others into one bin', async () => {
  const options = { ...control, tokens: 1, n: 128, topK: 300 };
  const logits = randomNormal(256, 31);
  logits[5] = 100;
  logits[128 + 9] = 100;
  const got = await route(logits, options);
  expectSameRoute(got, productRouteReference(logits, options), options.topK);
});

test.each([
  ['both sides of zero', -2, 0.001],
  ['all below zero', -500, 0.001],
  ['as large as floats with a spacing of 1/64 can be', 65_536, 1 / 64],
  ['minimal differences only', 0, 2 ** -100],
  ['zero, and minus zero', 0, -0],
])('bins of sums: %s', async (_name, base, step) => {
  const next = randomStream(51);
  const options = { ...control, n: 128, topK: 300, logSoftmax: 0 };
  const logits = Float32Array.from({ length: 3 * 256 }, () => base + step * Math.floor(4000 * next()));
  const got = await route(logits, options);
  const want = productRouteReference(logits, options);
  // With representable differences, ids are exact: ties go to the lower id.
  const isExact = Number.isInteger(base) && Math.log2(Math.abs(step) || 1) % 1 === 0;
  if (isExact) expect([...got.ids]).toEqual([...want.ids]);
  expectClose(got.scores, want.scores, { absolute: 1e-5, label: 'scores' });
  expect(new Set(got.ids.subarray(0, options.topK)).size).toBe(options.topK);
});

test('large logits neither overflow nor lose the sum of the weights', async () => {
  const options = { ...control, weigh: 'softmax' };
  const logits = randomNormal(options.tokens * 128, 41, 300);
  const { weights } = await route(logits, options);
  for (let token = 0; token < options.tokens; token += 1) {
    let sum = 0;
    for (let rank = 0; rank < 32; rank += 1) sum += weights[32 * token + rank]!;
    expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
  }
});
