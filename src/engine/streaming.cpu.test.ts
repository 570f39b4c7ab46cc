/** In WebAssembly, too, streamed runs give the bits of the resident run; memory budgets hold, and memory goes back. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { PolicyName } from './api.ts';
import { LocalEngine } from './engine.ts';
import { delays, forced, modelInMemory, pairwise, type Latency } from './streaming.testing.ts';
import { firstDifference, readGolden, TRAINED_MODELS, type TrainedGolden } from './testing.ts';

const PAIR_SEED = 7;
const DELAY_SEED = 9;
const PROMPT_TOKENS = 200;
const TOKENS = 216;
const TOP_K = { 'fable-omni-8m': 32, 'fable-moe-12m': 4 } as const;
const POISON = 0x7f7f7bff; // as f32 and as two halves: finite and huge

/** Every pair of values occurs. */
const CELLS = pairwise(
  {
    ratio: [1, 2, 4],
    policy: ['ema', 'lru', 'lfru', 'random'] as readonly PolicyName[],
    lookahead: [0, 1, 2],
    latency: ['zero', 'jitter', 'reordered'] as readonly Latency[],
  },
  PAIR_SEED,
);

describe.each(TRAINED_MODELS)('%s', (name) => {
  const latency = delays(DELAY_SEED);
  let engine: LocalEngine;
  let ids: readonly number[];
  let want: Float32Array;

  beforeAll(async () => {
    const folder = await modelInMemory(`demo/public/models/${name}`);
    ids = (await readGolden<TrainedGolden>(folder)).perplexity.ids.slice(0, TOKENS);
    engine = await LocalEngine.open({
      device: 'cpu',
      streamTesting: {
        poison: POISON,
        delay: latency.delay,
        link: () => ({ utilisation: 0, bytesPerMs: Infinity }),
      },
    });
    await engine.load(folder);
    expect(engine.adapter.device).toBe('cpu');
    want = await forced(engine.runner, ids, PROMPT_TOKENS);
  });

  afterAll(() => engine.dispose());

  test.each(CELLS)('$ratio x, $policy, lookahead $lookahead, $latency', async (cell) => {
    latency.set(cell.latency);
    const slotsPerLayer = cell.ratio * TOP_K[name];
    await engine.resize({
      streaming: {
        start: 'now',
        fill: false,
        slotsPerLayer,
        policy: cell.policy,
        seed: 11,
        lookahead: cell.lookahead,
        hostBudget: cell.latency === 'zero' ? 2 ** 30 : 0,
      },
    });
    expect(firstDifference(await forced(engine.runner, ids, PROMPT_TOKENS), want)).toBe('equal');
    const report = (await engine.streaming())!;
    const isFull = slotsPerLayer >= report.unitsPerLayer;
    expect(report.slotsPerLayer).toBe(Math.min(slotsPerLayer, report.unitsPerLayer));
    expect(report.tokens > 0 || isFull).toBe(true);
    expect(report.misses > 0 || isFull).toBe(true);
    expect(report.speculated > 0).toBe(cell.lookahead > 0 && !isFull);
  });
});

describe('memory', () => {
  const folder = modelInMemory('demo/public/models/fable-moe-12m');

  test('a budget holds, and half of the experts give the same story', async () => {
    const engine = await LocalEngine.open({ device: 'cpu' });
    const whole = await engine.load(await folder);
    const story = await tell(engine);
    const { totalBytes, expertsBytes } = engine.memory();
    const memoryBudget = totalBytes - Math.floor(expertsBytes / 2);
    const { plan } = await engine.load(await folder, { memoryBudget });
    expect(plan.slotsPerLayer).toBeLessThan(whole.plan.slotsPerLayer);
    expect(await tell(engine)).toBe(story);
    // What is kept beside the slots is in the same memory.
    const { heldBytes } = (await engine.streaming())!;

    expect(engine.memory().totalBytes + heldBytes).toBeLessThanOrEqual(memoryBudget);
    await expect(engine.load(await folder, { memoryBudget: 1000 })).rejects.toMatchObject({
      code: 'limit-too-small',
    });
    expect(await tell(engine)).toBe(story);
    engine.dispose();
  });

  test.each(TRAINED_MODELS)('%s over many memories has the bits of one', async (name) => {
    const model = await modelInMemory(`demo/public/models/${name}`);
    const { ids } = (await readGolden<TrainedGolden>(model)).perplexity;
    const logits = async (bounds: { memoryBytes?: number }) => {
      const engine = await LocalEngine.open({ device: 'cpu', threads: 1, bounds });
      await engine.load(model);
      const values = [
        await engine.logits(ids.slice(0, 40)),
        await engine.logits(ids.slice(0, 8), 'one-by-one'),
      ];
      engine.dispose();
      return values;
    };
    const one = await logits({});
    for (const [index, values] of (await logits({ memoryBytes: 300_000 })).entries())
      expect(firstDifference(values, one[index]!)).toBe('equal');
  });

  test('sessions give their memory back', async () => {
    const engine = await LocalEngine.open({ device: 'cpu' });
    await engine.load(await folder);
    const before = engine.memory();
    const sizes: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      await tell(engine);
      sizes.push(engine.memory().totalBytes);
    }
    expect(new Set(sizes).size).toBe(1);
    await vi.waitFor(() => expect(engine.memory().kvCacheBytes).toBe(before.kvCacheBytes));
    engine.dispose();
  });
});

async function tell(engine: LocalEngine): Promise<string> {
  const session = engine.session();
  let text = '';
  for await (const event of session.generate('Once upon a time', { maxTokens: 24, temperature: 0 }))
    if (event.kind === 'token') text += event.text;
  session.dispose();
  return text;
}
