/** Described routers whose decisions depend on earlier tokens: independent of steps, and back with the cache. */
import { describe, expect, test } from 'vitest';
import type { LoadOptions } from './api.ts';
import {
  describedModel,
  idsByToken,
  LAYER,
  layerRuns,
  OF_EARLIER,
  OF_PROMPT,
  RANDOM,
  runSteps,
  VOCAB,
} from './described-model.testing.ts';
import { firstDifference, largestError, openEngine, repositoryFolder } from './testing.ts';

const folder = await describedModel();
const IDS = Array.from({ length: 21 }, (_, at) => (17 * at + 5) % VOCAB);
const OTHERS = IDS.map((id, at) => (at < 10 ? id : (id + 31) % VOCAB));

describe.each(['gpu', 'cpu', 'reference'] as const)('on %s', (device) => {
  async function load(options: LoadOptions) {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(folder, options);
    return engine;
  }

  async function run(options: LoadOptions, lengths: readonly number[], ids: readonly number[] = IDS) {
    const engine = await load(options);
    const state = await engine.runner.openState();
    const result = await runSteps(engine.runner, state, ids, { lengths });
    state.dispose();
    engine.dispose();
    return result;
  }

  describe.each(Object.entries({ ...OF_EARLIER, 'random experts': RANDOM }))('%s', (_, router) => {
    const routing = { ...LAYER, router };

    test('routes of the reference, however a text is cut; streamed as resident', async () => {
      const want = idsByToken(await layerRuns(folder, routing, IDS), IDS.length);
      const once = await run({ routing }, [21]);
      const cut = await run({ routing }, [9, 4, 1, 1, 6]);
      const single = await run(
        { routing },
        IDS.map(() => 1),
      );
      for (const { routes } of [once, cut, single]) expect(routes.map(({ ids }) => ids)).toEqual(want);
      const last = single.logits.slice(-VOCAB);
      expect(largestError(once.logits, last)).toBeLessThan(1e-4);
      expect(largestError(cut.logits.slice(-VOCAB), last)).toBeLessThan(1e-4);
      if (device === 'reference') return;
      const streaming = { start: 'now', slotsPerLayer: 4, fill: false, lookahead: 2 } as const;
      const streamed = await run({ routing, streaming }, [9, 4, 1, 1, 6]);
      expect(firstDifference(streamed.logits, cut.logits)).toBe('equal');
      expect(streamed.routes).toEqual(cut.routes);
    });

    test('goes back, forks and is saved with the cache', async () => {
      const engine = await load({ routing });
      const { runner } = engine;
      const state = await runner.openState();
      const fork = await runner.openState();
      await runSteps(runner, state, IDS, { lengths: [10] });
      runner.copyState(state, fork);
      const rest = { lengths: [5, 1, 5], past: 10 };
      const own = await runSteps(runner, state, IDS, rest);
      expect(runner.rewindTo(state, 10)).toBe(10);
      const others = await runSteps(runner, state, OTHERS, rest);
      const forked = await runSteps(runner, fork, IDS, rest);
      expect(forked.routes).toEqual(own.routes);
      expect(firstDifference(forked.logits, own.logits)).toBe('equal');
      const restored = await runner.openState();
      await runSteps(runner, fork, IDS, { lengths: [11] });
      const copies = await runner.stateCopies(); // 11 is within a segment
      const saved = await copies.read(fork, 11);
      const later = { lengths: [5, 1, 4], past: 11 };
      const kept = await runSteps(runner, fork, IDS, later);
      copies.write(restored, 11, saved);
      const again = await runSteps(runner, restored, IDS, later);
      expect(again.routes).toEqual(kept.routes);
      expect(firstDifference(again.logits, kept.logits)).toBe('equal');
      for (const each of [state, fork, restored]) each.dispose();
      engine.dispose();
      const fresh = await run({ routing }, [10, 5, 1, 5], OTHERS);
      expect(others.routes).toEqual(fresh.routes.slice(10));
      expect(firstDifference(others.logits, fresh.logits.slice(VOCAB))).toBe('equal');
    });
  });

  test.each(Object.entries(OF_PROMPT))('%s decides for the reply', async (_, router) => {
    const routing = { ...LAYER, router };
    const engine = await load({ routing });
    const { runner } = engine;
    const state = await runner.openState();
    const decode = { lengths: [1, 1, 1, 1, 1, 1], past: 15 };
    const want = idsByToken(await layerRuns(folder, routing, IDS.slice(0, 15)), 15);
    const prompt = await runSteps(runner, state, IDS, { lengths: [15] });
    expect(prompt.routes.map(({ ids }) => ids)).toEqual(want);
    const fork = await runner.openState();
    runner.copyState(state, fork);
    const reply = await runSteps(runner, state, IDS, decode);
    const [decided] = prompt.routes;
    for (const routes of [...prompt.routes, ...reply.routes]) expect(routes).toEqual(decided);
    const forked = await runSteps(runner, fork, IDS, decode);
    expect(firstDifference(forked.logits, reply.logits)).toBe('equal');
    // A new prompt is decided anew, from its first token.
    expect(runner.rewindTo(state, 5)).toBe(0);
    const again = await runSteps(runner, state, OTHERS, { lengths: [17] });
    expect(again.routes).not.toEqual(prompt.routes);
    await expect(runSteps(runner, state, IDS, { lengths: [4], past: 17 })).rejects.toThrow(
      /4 tokens come behind 17/,
    );
    state.dispose();
    fork.dispose();
    engine.dispose();
    if (device === 'reference') return;
    const streaming = { start: 'now', slotsPerLayer: 4, fill: false, lookahead: 2 } as const;
    const whole = await run({ routing }, [15, 1, 1, 1]);
    const streamed = await run({ routing, streaming }, [15, 1, 1, 1]);
    expect(firstDifference(streamed.logits, whole.logits)).toBe('equal');
    expect(streamed.routes).toEqual(whole.routes);
  });
});

test('a session that goes on within a segment keeps its experts', async () => {
  const engine = await openEngine();
  await engine.load(folder, {
    routing: { ...LAYER, router: OF_EARLIER['segments of 4 tokens, by the first'] },
  });
  const state = await engine.runner.openState();
  const { routes } = await runSteps(engine.runner, state, IDS, { lengths: IDS.map(() => 1) });
  for (const [at, { ids }] of routes.entries()) expect(ids).toEqual(routes[at - (at % 4)]?.ids);
  expect(new Set(routes.map(({ ids }) => String(ids))).size).toBeGreaterThan(2);
  state.dispose();
  engine.dispose();
});

test('a session decides anew for a new prompt, and refuses to add to one whose decision it keeps', async () => {
  const engine = await openEngine();
  const score = { kind: 'linear', weight: 'model.layers.{layer}.mlp.gate.weight' };
  const router = { ...OF_PROMPT['the mean of the prompt'], score };
  const routing = { ...LAYER, hiddenSize: 192, experts: 32, router };
  await engine.load(await repositoryFolder('demo/public/models/fable-moe-12m'), { routing });
  const session = engine.session();
  const reply = async (prompt: string, reusePrefix = true) => {
    let text = '';
    for await (const event of session.generate(prompt, { maxTokens: 6, temperature: 0, reusePrefix }))
      if (event.kind === 'done') text = event.text;
    return text;
  };
  const [tale, girl] = ['Once upon a time there was', 'Once upon a time a little girl'];
  const texts = [await reply(tale), await reply(girl), await reply(tale)];
  expect(texts[2]).toBe(texts[0]);
  session.reset();
  expect(await reply(girl)).toBe(texts[1]);
  const longer = `${girl}${texts[1]} and then she went to the wood`;
  await expect(reply(longer)).rejects.toThrow(/decides once for a whole prompt.*reusePrefix: false/);
  const anew = await reply(longer, false);
  session.reset();
  expect(await reply(longer)).toBe(anew);
  session.dispose();
  engine.dispose();
});

const { 'segments of 4 tokens, by the first': segments } = OF_EARLIER;

test.each([
  [
    { ...segments, scope: { ...segments.scope, pool: 'mean', sees: 'sequence' } },
    /because of router\.scope\.pool "mean"; .*; choose the pool "first"$/,
  ],
  [{ ...segments, scope: { ...segments.scope, expertUnit: 'segment' } }, /scope\.expertUnit is "segment"/],
  [
    {
      ...segments,
      scope: {},
      score: {
        ...{ kind: 'productKeys', heads: 5 },
        ...{ query: 'routing.query', keysX: 'routing.keysX', keysY: 'routing.keysY' },
      },
    },
    /router\.score\.heads is 5, which choose more experts than there are/,
  ],
  [
    { ...segments, scope: {}, select: { kind: 'ids', tensor: 'routing.twice', by: 'tokenIds' } },
    /row 0 of a table of experts is 3, 3/,
  ],
  [{ ...segments, scope: { decision: 'prompt' } }, /scope\.unit is "token"/],
  [
    { ...segments, scope: { sees: 'sequence' }, capacity: { factor: 1 } },
    /sees is "sequence", because of router\.capacity; .*; choose tokensPerExpert/,
  ],
  [
    { ...segments, scope: { sees: 'sequence' }, transform: [{ kind: 'sinkhorn', temperature: 1 }] },
    /because of router\.transform\.0\.kind; .*; choose "softmax"$/,
  ],
  [
    { ...segments, scope: { sees: 'sequence' }, select: { kind: 'expertChoice', factor: 1 } },
    /because of router\.select\.kind; .*; let tokens choose/,
  ],
  [
    {
      ...segments,
      scope: { sees: 'sequence' },
      select: { kind: 'topK', k: { from: 'attentionReceived', name: 'a', least: 1, most: 2 } },
    },
    /because of router\.select\.k\.from; .*; choose "importance"/,
  ],
  [
    {
      ...segments,
      scope: { sees: 'sequence' },
      select: {
        kind: 'topK',
        k: 2,
        drop: [{ kind: 'belowRatio', ratio: 0.5, protect: { name: 'a', top: 0.1, bottom: 0.1 } }],
      },
    },
    /because of router\.select\.drop\.0\.protect; .*; leave protect out$/,
  ],
  [{ ...segments, scope: { sees: 'batch' }, capacity: { factor: 1, over: 'batch' } }, /sees is "batch"/],
])('%j is refused', async (router, message) => {
  const engine = await openEngine({ device: 'cpu' });
  await expect(engine.load(folder, { routing: { ...LAYER, router } })).rejects.toThrow(message);
  engine.dispose();
});
