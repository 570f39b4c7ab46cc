/**
 * Lossy ways out: off by default, the same on both backends, and told in the result.
 *
 * @module-tag full
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeviceKind } from './api.ts';
import type { GenerateEvent, LossyOptions } from './api.ts';
import type { FolderSource } from '../io/source.ts';
import type { LocalEngine } from './engine.ts';
import { modelInMemory } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine, readGolden, type TrainedGolden } from './testing.ts';

const IDS = 24;

describe.each(['fable-omni-8m', 'fable-moe-12m'])('%s', (name) => {
  const bound = name === 'fable-moe-12m' ? 0.2 : 0.004;
  let folder: FolderSource;
  let ids: readonly number[];
  const engines: LocalEngine[] = [];

  async function open(device: DeviceKind, lossy: LossyOptions, slotsPerLayer?: number): Promise<LocalEngine> {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    engines.push(engine);
    await engine.load(folder, {
      lossy,
      ...(slotsPerLayer ? { streaming: { slotsPerLayer, lookahead: 0, runAhead: 0 } } : {}),
    });
    return engine;
  }

  async function done(engine: LocalEngine): Promise<Extract<GenerateEvent, { kind: 'done' }>> {
    const session = engine.session();
    let last: GenerateEvent | undefined;
    for await (const event of session.generate('Once upon a time', { temperature: 0, maxTokens: 12 }))
      last = event;
    session.dispose();
    if (last?.kind !== 'done') throw new Error('no end');
    return last;
  }

  beforeAll(async () => {
    folder = await modelInMemory(`demo/public/models/${name}`);
    ids = (await readGolden<TrainedGolden>(folder)).perplexity.ids.slice(0, IDS);
  });

  afterAll(() => {
    for (const engine of engines) engine.dispose();
  });

  test('skipBelow: GPU equals CPU, whatever is in memory', async () => {
    const whole = await open('gpu', { skipBelow: bound });
    const exact = await open('gpu', {});
    const cpu = await open('reference', { skipBelow: bound });
    const few = await open('gpu', { skipBelow: bound }, name === 'fable-moe-12m' ? 6 : 40);
    const want = await cpu.logits(ids);
    for (const mode of ['at-once', 'one-by-one'] as const) {
      const got = await whole.logits(ids, mode);
      expect(largestError(got, want)).toBeLessThan(1e-3);
      expect(firstDifference(await few.logits(ids, mode), got)).toBe('equal');
      expect(firstDifference(await exact.logits(ids, mode), got)).not.toBe('equal');
    }
    expect((await done(few)).lossy).toEqual({ skipBelow: bound, dropColdBelow: 0, dropped: 0 });
    expect((await done(exact)).lossy).toBeUndefined();
    const state = await whole.runner.openState();
    const request = { penalty: 1, temperature: 1, candidates: false, routes: true, ids: [1], past: 0 };
    const { routes } = await whole.runner.step(state, request);
    state.dispose();
    const kept = routes!.weights.flat();
    if (name === 'fable-moe-12m') expect(Math.min(...kept)).toBeGreaterThanOrEqual(bound);
  });

  test('dropColdBelow: drops what is missing and light, and says how much', async () => {
    const slots = name === 'fable-moe-12m' ? 6 : 40;
    const few = await open('gpu', { dropColdBelow: 0.9 }, slots);
    const { lossy } = await done(few);
    expect(lossy).toMatchObject({ skipBelow: 0, dropColdBelow: 0.9 });
    expect(lossy!.dropped).toBeGreaterThan(0);
    // Where nothing is missing nothing is dropped, and the text is exact.
    const all = await open('gpu', { dropColdBelow: 0.9 });
    const exact = await open('gpu', {});
    expect(await done(all)).toMatchObject({ lossy: { dropped: 0 }, text: (await done(exact)).text });
  });
});
