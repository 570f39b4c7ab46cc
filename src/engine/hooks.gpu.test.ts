/** Hooks of requests on fixtures: what they change, and what they leave as it is to the bit. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { draftModel } from './load/planning.ts';
import type { RoutingHooks } from './api.ts';
import type { LocalEngine } from './engine.ts';
import { expectSame, run, type Given, type Run } from './hooks.testing.ts';
import {
  firstDifference,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  type FixtureGolden,
} from './testing.ts';

const EXPERTS = 8;
const TOP_K = 2;
const zeros = Array.from({ length: EXPERTS }, () => 0);

/** How often each expert was chosen in a layer. */
function histogram({ trace }: Run, bank: number): number[] {
  const counts = [...zeros];
  for (const { ids } of trace) for (const id of ids[bank] ?? []) counts[id] = (counts[id] ?? 0) + 1;
  return counts;
}

const DEVICES = ['gpu', 'cpu', 'reference'] as const;
const WAYS = ['resident', 'streamed'] as const;
const MODELS = ['olmoe', 'deepseek_v3', 'granitemoe'] as const; // softmax; sigmoid, a bias and groups; softmax of the chosen
const cells = MODELS.flatMap((model) =>
  DEVICES.flatMap((device) => WAYS.map((way) => ({ model, device, way }))),
).filter(({ device, way }) => device !== 'reference' || way === 'resident');

describe.each(cells)('$model on $device, $way', ({ model: name, device, way }) => {
  let engine: LocalEngine;
  let given: Given;
  let base: Run;

  beforeAll(async () => {
    const folder = await repositoryFolder(`fixtures/models/${name}`);
    engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(
      folder,
      way === 'streamed' ? { streaming: { start: 'now', slotsPerLayer: 3, fill: false } } : {},
    );
    const { ids } = await readGolden<FixtureGolden>(folder);
    const model = await draftModel(await repositoryFolder(`fixtures/models/${name}`), {});
    given = { runner: engine.runner, ids: ids.slice(0, 12), model };
    base = await run(given);
  });

  afterAll(() => engine.dispose());

  test('two runs give identical traces, one entry for each token, layer and rank', async () => {
    expectSame(await run(given), base);
    expect(base.trace).toHaveLength(given.ids.length);
    for (const { ids, weights } of base.trace) {
      expect(ids.every((list) => list.length === TOP_K)).toBe(true);
      expect(weights.map(({ length }) => length)).toEqual(ids.map(({ length }) => length));
    }
  });

  test.each<readonly [string, RoutingHooks]>([
    ['a bias of 0', { all: { bias: zeros } }],
    ['a strength of 0', { all: { steer: { experts: [1, 5], strength: 0 } } }],
    ['an empty mask', { all: { mask: [] } }],
    ['ranks 0 to k - 1', { all: { ranks: [0, 1] } }],
    ['all of them', { all: { bias: zeros, steer: { experts: [0], strength: 0 }, mask: [], ranks: [0, 1] } }],
  ])('%s changes no bit', async (_what, hooks) => {
    expectSame(await run(given, hooks), base);
  });

  test('a replayed trace gives the same logits, by weights that are computed again or recorded', async () => {
    const trace = { tokens: base.trace };
    expectSame(await run(given, { replay: { trace } }), base);
    expectSame(await run(given, { replay: { trace, weights: 'recorded' } }), base);
  });

  test('what another request chose is replayed: the trace is that one, and so are its logits', async () => {
    const hooks: RoutingHooks = { all: { bias: zeros.map((_, e) => (e === 6 ? 3 : 0)), mask: [2] } };
    const biased = await run(given, hooks);
    expect(firstDifference(biased.logits, base.logits)).not.toBe('equal');
    const trace = { tokens: biased.trace };
    expectSame(await run(given, { replay: { trace, weights: 'recorded' } }), biased);
    const ids = (await run(given, { replay: { trace } })).trace.map((token) => token.ids);
    expect(ids).toEqual(biased.trace.map((token) => token.ids));
  });

  test('tokens outside of the trace choose for themselves', async () => {
    const trace = { from: 3, tokens: base.trace.slice(3, 9) };
    expectSame(await run(given, { replay: { trace } }), base);
  });

  test('a mask takes experts out of the histogram of its layer', async () => {
    const banks = base.trace[0]?.ids.length ?? 0;
    const used = histogram(base, 1).findIndex((count) => count > 0);
    const masked = await run(given, {
      layers: Array.from({ length: banks }, (_, bank) => (bank === 1 ? { mask: [used, 3] } : null)),
    });
    const counts = histogram(masked, 1);
    expect([counts[used], counts[3]]).toEqual([0, 0]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(TOP_K * given.ids.length);
    expect(histogram(masked, 0)).toEqual(histogram(base, 0));
  });

  test('hard steering puts experts first, and a mask of all leaves none', async () => {
    const hard = await run(given, { all: { steer: { experts: [4], mode: 'hard', epsilon: 50 } } });
    if (name !== 'deepseek_v3') {
      expect(hard.trace.every(({ ids }) => ids.every(([first]) => first === 4))).toBe(true);
    }
    const none = await run(given, { all: { mask: zeros.map((_, e) => e) } });
    expect(none.trace.every(({ ids }) => ids.every(({ length }) => length === 0))).toBe(true);
    expect(none.logits.every(Number.isFinite)).toBe(true);
  });

  test('other ranks take the experts after the first; the hooked sessions leave others as they are', async () => {
    const second = await run(given, { all: { ranks: [1] } });
    expect(second.trace[0]?.ids[0]).toEqual([base.trace[0]?.ids[0]?.[1]]);
    expect(second.trace.every(({ ids }) => ids.every(({ length }) => length === 1))).toBe(true);
    expectSame(await run(given), base);
  });

  if (device !== 'reference') {
    test('the reference routes alike', async () => {
      const hooks: RoutingHooks = {
        all: {
          bias: zeros.map((_, e) => e / 10),
          steer: { experts: [1, 2], strength: 0.7 },
          mask: [5],
          ranks: [2, 0],
        },
      };
      const reference = await openEngine({ device: 'reference' });
      await reference.load(await repositoryFolder(`fixtures/models/${name}`));
      const want = await run({ ...given, runner: reference.runner }, hooks);
      reference.dispose();
      const got = await run(given, hooks);
      expect(got.trace.map(({ ids }) => ids)).toEqual(want.trace.map(({ ids }) => ids));
      expect(largestError(got.logits, want.logits)).toBeLessThan(1e-4);
    });
  }
});
