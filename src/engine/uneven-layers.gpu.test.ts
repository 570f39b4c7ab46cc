/** Layers that differ in their experts: GPU against CPU, and streamed against resident. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { LoadOptions } from './api.ts';
import { forced } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';
import { UNEVEN_VOCAB, unevenFamily, unevenFolder } from './uneven-model.testing.ts';

const IDS = Array.from({ length: 40 }, (_, at) => (at * 17 + 5) % UNEVEN_VOCAB);
const PROMPT_TOKENS = 24;

const folder = unevenFolder();
let want: Float32Array; // of the resident run

async function load(options: LoadOptions, device?: 'cpu' | 'reference') {
  const engine = await openEngine({ families: [unevenFamily], ...(device ? { device } : {}) });
  const { plan } = await engine.load(folder, options);
  return { engine, plan };
}

beforeAll(async () => {
  const { engine, plan } = await load({});
  expect(plan).toMatchObject({ experts: 256, expertsPerToken: 6, unitsPerLayer: 12, streams: false });
  want = await forced(engine.runner, IDS, PROMPT_TOKENS);
  const { engine: cpu } = await load({}, 'reference');
  const rows = await cpu.logits(IDS);
  const compared = rows.subarray((PROMPT_TOKENS - 1) * UNEVEN_VOCAB);
  expect(largestError(want, compared)).toBeLessThan(1e-3);
  engine.dispose();
  cpu.dispose();
});

describe('experts that come as they are needed', () => {
  test.each([
    [6, 2, 0],
    [6, 2, 2],
    [8, 1, 1],
    [11, 0, 1],
  ] as const)('%i places, %i layers ahead, run ahead %i', async (slotsPerLayer, lookahead, runAhead) => {
    const { engine } = await load({ streaming: { slotsPerLayer, lookahead, runAhead } });
    expect(firstDifference(await forced(engine.runner, IDS, PROMPT_TOKENS), want)).toBe('equal');
    const report = await engine.streaming();
    expect(report).toMatchObject({ layers: 3, unitsPerLayer: 12, slotsPerLayer, isComplete: false });
    // A layer of four units has no place for a fifth.
    const present = report!.states.filter((state) => state !== 0).length;
    expect(present).toBeLessThanOrEqual(4 + 2 + 12);
    engine.dispose();
  });

  test('start at once, and are complete with 4 + 2 + 12 records', async () => {
    const { engine } = await load({ streaming: { start: 'now' } });
    expect(firstDifference(await forced(engine.runner, IDS, PROMPT_TOKENS), want)).toBe('equal');
    await expect.poll(async () => (await engine.streaming())?.isComplete, { timeout: 10_000 }).toBe(true);
    const { states } = (await engine.streaming())!;
    expect(states.filter((state) => state !== 0)).toHaveLength(18);
    expect(firstDifference(await forced(engine.runner, IDS, PROMPT_TOKENS), want)).toBe('equal');
    engine.dispose();
  });
});
