import { describe, expect, test } from 'vitest';
import {
  expectClose,
  isFirefox,
  quickly,
  randomNormal,
  runKernel,
  testGpu,
  type Values,
} from '../testing.ts';
import { routeBindings, ROUTE_FORMS, type RouteForm } from './route-parts.ts';
import type { RouteOutput, RouteRule } from './route-rule.ts';
import type { RouteInputs } from './route-token.reference.ts';
import {
  routeReference,
  routeScoresReference,
  type RouteResult,
  type RouteSizes,
} from './route.reference.ts';
import {
  bound,
  LISTED_ROUTES,
  LISTED_SIZES,
  LISTED_STEPS,
  listedInputs,
  listedRoutes,
  pairedRows,
} from './route.testing.ts';
import {
  route,
  routeParams,
  routeScores,
  routeScoresParams,
  routeScoresVariants,
  routeVariants,
} from './route.ts';

const gpu = await testGpu();

type Results = Readonly<Record<string, Values>>;

/** Runs a rule in a form; outputs are poisoned. */
async function run(
  form: RouteForm,
  rule: RouteRule,
  outputs: readonly RouteOutput[],
  scores: Float32Array<ArrayBuffer>,
  inputs: RouteInputs,
  sizes: RouteSizes,
): Promise<Results> {
  const variant = routeVariants(rule, outputs).find(
    ({ form: name, wg }) => name === form.form && wg === form.wg,
  )!;
  const scored = sizes.experts + (rule.nullExperts ?? 0);
  const { tokens, most } = sizes;
  const bindings = Object.keys(routeBindings(variant));
  const result = (name: string) => (name === 'largest' ? tokens : tokens * scored);
  const buffers = {
    ...bound(bindings, inputs),
    scores,
    ids: { type: 'u32', count: tokens * most } as const,
    weights: { type: 'f32', count: tokens * most } as const,
    ...Object.fromEntries(outputs.map((name) => [name, { type: 'f32', count: result(name) } as const])),
  };
  return runKernel(gpu, { ...route, bindings: routeBindings(variant) }, variant, {
    buffers: Object.fromEntries(bindings.map((name) => [name, buffers[name as keyof typeof buffers]!])),
    params: routeParams(rule, sizes),
    size: { tokens, scored },
  });
}

/** Weights are products of a few functions, each with an error of a few units of the last place. */
const TOLERANCE = { absolute: 2e-6, relative: 2e-5 };

function expectRoutes(got: Results, want: RouteResult, outputs: readonly RouteOutput[] = []): void {
  expect([...(got['ids'] ?? [])]).toEqual([...want.ids]);
  expectClose(got['weights'] ?? [], want.weights, { ...TOLERANCE, label: 'weights' });
  for (const name of outputs) expectClose(got[name] ?? [], want[name], { ...TOLERANCE, label: name });
}

async function expectRule(
  form: RouteForm,
  rule: RouteRule,
  scores: Float32Array<ArrayBuffer>,
  sizes: RouteSizes,
  inputs: RouteInputs = {},
): Promise<RouteResult> {
  const want = routeReference(scores, rule, inputs, sizes);
  expectRoutes(await run(form, rule, [], scores, inputs, sizes), want);
  return want;
}

describe('stages in pairs', () => {
  // Firefox's driver takes seconds to compile a rule with arrays in the memory of a lane; each stage alone runs there too.
  const listed = LISTED_ROUTES.filter(({ form }) => !isFirefox || form.form !== 'lane');
  const all = listed.map(({ rule, outputs, form }) => {
    const [variant] = routeVariants(rule, outputs).filter(({ capacity }) => capacity === form.capacity);
    return { ...variant!, name: route.key(variant!), rule, outputs, own: form };
  });
  const names = new Set(
    quickly(all.map(({ rule: _, outputs: __, own: ___, ...rest }) => rest)).map(({ name }) => name),
  );

  test.each(all.filter(({ name }) => names.has(name)).map((each) => [each.name, each] as const))(
    '%s',
    async (_name, { rule, outputs, own }) => {
      const { scores, inputs } = listedInputs(rule, 5);
      const want = routeReference(scores, rule, inputs, LISTED_SIZES);
      expectRoutes(await run(own, rule, outputs, scores, inputs, LISTED_SIZES), want, outputs);
    },
  );

  test('the list has every pair of stages, and no program twice', () => {
    expect(pairedRows().length).toBeLessThan(400);
    expect(new Set(listedRoutes().map(route.key)).size).toBe(listedRoutes().length);
  });
});

describe.each(ROUTE_FORMS)('$form, $capacity scores', (form) => {
  test.each(
    LISTED_STEPS.map((steps) => [steps.map(({ kind }) => kind).join(', ') || 'none', steps] as const),
  )('steps alone: %s', async (_name, steps) => {
    const outputs = ['affinities', 'logits', 'largest'] as const;
    const { scores, inputs } = listedInputs({ steps, select: { choice: { kind: 'all' } }, weigh: {} }, 7);
    const { tokens, experts } = LISTED_SIZES;
    const variant = routeScoresVariants({ steps }, outputs).find(({ wg }) => wg === form.wg)!;
    const bindings = routeBindings(variant);
    const buffers: Record<string, Values | { type: 'f32'; count: number }> = {
      ...bound(Object.keys(bindings), inputs),
      scores,
      affinities: { type: 'f32', count: tokens * experts },
      logits: { type: 'f32', count: tokens * experts },
      largest: { type: 'f32', count: tokens },
    };
    const got: Results = await runKernel(gpu, { ...routeScores, bindings }, variant, {
      buffers: Object.fromEntries(Object.keys(bindings).map((name) => [name, buffers[name]!])),
      params: routeScoresParams({ steps }, { tokens, experts }),
      size: { tokens, scored: experts },
    });
    const want = routeScoresReference(scores, { steps }, inputs, LISTED_SIZES);
    for (const name of outputs) expectClose(got[name] ?? [], want[name], { ...TOLERANCE, label: name });
  });

  // A lane scans all scores for each entry; scripts/README.md has the loop limit of Firefox's driver.
  const isShort = (experts: number, k: number) => !isFirefox || form.form !== 'lane' || experts * k < 65_000;

  test.each(
    [
      [1, 1],
      [2, 2],
      [3, 1],
      [31, 31],
      [32, 8],
      [33, 2],
      [127, 64],
      [128, 128],
      [129, 7],
      [255, 8],
      [256, 256],
      [257, 3],
      [1023, 40],
      [1024, 1024],
    ].filter(([experts = 0, k = 0]) => experts <= form.capacity && isShort(experts, k)),
  )('%i experts, top %i', async (experts = 0, k = 0) => {
    const rule: RouteRule = {
      steps: [{ kind: 'sigmoid' }],
      select: { choice: { kind: 'topK', k } },
      weigh: { normalise: 'sum' },
    };
    const sizes = { tokens: 5, experts, most: k };
    const scores = randomNormal(5 * experts, experts, 2).map((value) => Math.round(value * 4096) / 4096);
    await expectRule(form, rule, scores, sizes);
  });

  test('more tokens than a grid has in one dimension', { tags: ['full'] }, async () => {
    const sizes = { tokens: 65_536 * (form.form === 'lane' ? form.wg : 1) + 1, experts: 2, most: 1 };
    const rule: RouteRule = { steps: [], select: { choice: { kind: 'topK', k: 1 } }, weigh: { from: 'one' } };
    const scores = Float32Array.from({ length: 2 * sizes.tokens }, (_, at) => (at * 7) % 5);
    await expectRule(form, rule, scores, sizes);
  });

  const softmax = [{ kind: 'softmax' }] as const;
  const sum = { normalise: 'sum' } as const;
  const crossing = { kind: 'topP', p: 0.5, rule: 'crossing', atLeast: 1, atMost: 8 } as const;
  const CHOICES: readonly (readonly [string, RouteRule['select']['choice'], RouteRule['steps']])[] = [
    ['topK', { kind: 'topK', k: 3 }, softmax],
    ['crossing', crossing, softmax],
    ['within', { ...crossing, rule: 'within' }, softmax],
    ['within, none at least', { ...crossing, rule: 'within', atLeast: 0 }, softmax],
    [
      'unless the entropy is high',
      { ...crossing, keepAllAbove: { entropy: 'tsallis', index: 1.1, threshold: 1.45 } },
      softmax,
    ],
    ['positive', { kind: 'positive' }, [{ kind: 'relu' }]],
    ['all', { kind: 'all' }, softmax],
    ['topOfEach', { kind: 'topOfEach', groups: 4 }, [{ kind: 'softmax', within: 4 }]],
    ['standardised', { kind: 'topK', k: 8 }, [{ kind: 'standardise', deviation: 'sample' }, ...softmax]],
  ];
  /** Tokens of eight scores. Minus infinity is masked, and no sum of equal probabilities is rounded. */
  const TOKENS: readonly (readonly number[])[] = [
    [0, 0, 0, 0, 0, 0, 0, 0],
    [-1, -1, -1, -1, -1, -1, -1, -1],
    [3, -Infinity, 3, -Infinity, 3, -Infinity, 3, -Infinity],
    Array(8).fill(-Infinity) as number[],
    [-Infinity, -Infinity, -Infinity, -Infinity, -Infinity, 2, -Infinity, -Infinity],
    [0, 0, 50, 0, 0, 0, 0, 0],
    [-5, -4, -3, -2, -1, -2, -3, -4],
    [1e4, -1e4, 0, 300, -200, -300, -400, -500],
    [Infinity, 1, 2, 3, 4, 5, 6, 7],
    [-0, 0, -0, 0, 0, 0, 0, -0],
  ];
  /** The powers of these differ by roundings of exp only, unless they are standardised first. */
  const TINY = [-0, 0, -0, 0, 1e-30, -1e-30, 0, -0];

  test.each(CHOICES)('adversarial scores: %s', async (name, choice, steps) => {
    const tokens = name === 'standardised' ? [...TOKENS, TINY] : TOKENS;
    const sizes = { tokens: tokens.length, experts: 8, most: 8 };
    for (const weigh of [sum, { normalise: 'softmax', times: 'largestAffinity' }] as const) {
      const rule: RouteRule = { steps, select: { choice }, weigh };
      await expectRule(form, rule, Float32Array.from(tokens.flat()), sizes);
    }
  });

  test('a cumulative sum of exactly p does not cross it, and is within it', async () => {
    const sizes = { tokens: 1, experts: 8, most: 8 };
    for (const [p, rule, count] of [
      [0.5, 'crossing', 5],
      [0.5, 'within', 4],
      [1, 'crossing', 8],
      [0.125, 'within', 1],
    ] as const) {
      const select = { choice: { ...crossing, p, rule } };
      const { ids } = await expectRule(
        form,
        { steps: softmax, select, weigh: {} },
        new Float32Array(8),
        sizes,
      );
      expect([...ids].filter((id) => id < 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].slice(0, count));
    }
  });

  test('null experts take part and are removed; a token of null experts alone has weights of 0', async () => {
    const sizes = { tokens: 2, experts: 3, most: 2 };
    const scores = Float32Array.of(1, 2, 3, 4, -1, 0, 0, 0, 1, 2);
    for (const over of ['kept', 'chosen'] as const) {
      const rule: RouteRule = {
        steps: softmax,
        select: { choice: { kind: 'topK', k: 2 } },
        weigh: { ...sum, over },
        nullExperts: 2,
      };
      const want = await expectRule(form, rule, scores, sizes);
      expect([...want.ids]).toEqual([2, 3, 3, 3]);
      expect(want.weights[0]).toBeCloseTo(over === 'kept' ? 1 : 1 / (1 + Math.E), 6);
    }
  });

  test('NaN, too many entries, and a masked expert that is given: expert 0 with weight NaN, other tokens unharmed', async () => {
    const sizes = { tokens: 3, experts: 4, most: 2 };
    const positive: RouteRule = {
      steps: [{ kind: 'relu' }],
      select: { choice: { kind: 'positive' } },
      weigh: {},
    };
    const scores = Float32Array.of(1, NaN, 2, -1, 3, 1, -1, -1, 1, 2, 3, -1);
    const got = await run(form, positive, ['affinities'], scores, {}, sizes);
    expect([...got['ids']!]).toEqual([0, 4, 0, 1, 0, 4]);
    expect([...got['weights']!]).toEqual([NaN, 0, 3, 1, NaN, 0]);
    expect([...got['affinities']!.slice(0, 8)]).toEqual([NaN, NaN, NaN, NaN, 3, 1, 0, 0]);
    expect(() => routeReference(scores, positive, {}, sizes)).toThrow('NaN among');
    expect(() => routeReference(scores.subarray(8), positive, {}, { ...sizes, tokens: 1 })).toThrow(
      '`most` allows 2',
    );

    const replay: RouteRule = {
      steps: [{ kind: 'mask', by: { vector: 0 } }],
      select: { choice: { kind: 'given', places: 2 } },
      weigh: { from: 'one' },
    };
    const inputs = { vectors: Float32Array.of(1, 1, 0, 1), given_ids: Uint32Array.of(3, 2, 1, 0, 4, 1) };
    const own = await run(form, replay, [], new Float32Array(12), inputs, sizes);
    expect([...own['ids']!]).toEqual([0, 4, 1, 0, 1, 4]);
    expect([...own['weights']!]).toEqual([NaN, 0, 1, 1, 1, 0]);
    expect(() => routeReference(new Float32Array(12), replay, inputs, sizes)).toThrow(
      'expert 2, which is masked',
    );
  });

  test('permuting the tokens permutes the routes bit for bit, and repeated runs agree', async () => {
    const [tokens, experts, k] = [101, 64, 8];
    const sizes = { tokens, experts, most: k };
    const rule: RouteRule = {
      steps: softmax,
      select: { choice: { kind: 'topK', k } },
      weigh: sum,
    };
    const scores = randomNormal(tokens * experts, 6);
    const reversed = new Float32Array(scores.length);
    for (let t = 0; t < tokens; t += 1) {
      reversed.set(scores.subarray(t * experts, (t + 1) * experts), (tokens - 1 - t) * experts);
    }
    const one = await run(form, rule, [], scores, {}, sizes);
    const two = await run(form, rule, [], reversed, {}, sizes);
    for (let t = 0; t < tokens; t += 1) {
      const other = (tokens - 1 - t) * k;
      for (const name of ['ids', 'weights']) {
        expect(two[name]!.slice(other, other + k)).toEqual(one[name]!.slice(t * k, t * k + k));
      }
    }
    expect(await run(form, rule, [], scores, {}, sizes)).toEqual(one);
  });
});
