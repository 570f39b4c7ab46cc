/** The two trained models against their golden files, and the promises about generating. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GenerateEvent, GenerateOptions, Prompt, Session } from './api.ts';
import type { LocalEngine } from './engine.ts';
import type { Runner, RunnerTools } from './run/runner.ts';
import {
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  TRAINED_MODELS,
  type TrainedGolden,
} from './testing.ts';

const TOLERANCE = 1e-4; // of logits, against PyTorch in f32

interface Reply {
  readonly ids: number[];
  readonly text: string;
  readonly events: GenerateEvent[];
  readonly done: Extract<GenerateEvent, { kind: 'done' }>;
}

async function reply(session: Session, prompt: Prompt, options: GenerateOptions): Promise<Reply> {
  const events: GenerateEvent[] = [];
  for await (const event of session.generate(prompt, options)) events.push(event);
  const done = events.at(-1);
  if (done?.kind !== 'done') throw new Error('the last event is not done');
  const ids = events.flatMap((event) => (event.kind === 'token' ? [event.id] : []));
  return { ids, text: done.text, events, done };
}

describe.each(TRAINED_MODELS)('%s', (name) => {
  let engine: LocalEngine;
  let golden: TrainedGolden;
  let runner: Runner;
  let tools: RunnerTools;

  beforeAll(async () => {
    const folder = await repositoryFolder(`demo/public/models/${name}`);
    golden = await readGolden<TrainedGolden>(folder);
    engine = await openEngine();
    await engine.load(folder);
    ({ runner } = engine);
    tools = runner.tools!;
  });

  afterAll(() => engine.dispose());

  test.each(['at-once', 'one-by-one'] as const)('logits equal the golden file, %s', async (mode) => {
    const logits = await engine.logits(golden.ids, mode);
    for (const [index, position] of golden.logits_positions.entries()) {
      const want = golden.logits[index] ?? [];
      const got = logits.subarray(position * want.length, (position + 1) * want.length);
      expect(largestError(got, want)).toBeLessThan(TOLERANCE);
    }
  });

  test('a profile has the dispatches of a decode step in their order, with times where there is a clock', async () => {
    const dispatches = await engine.profile();
    const state = await runner.openState();
    const request = { penalty: 1, temperature: 1, candidates: true, routes: false, ids: [0], past: 0 };
    const listed = tools.list(state, request);
    state.dispose();
    expect(dispatches.map(({ label, kernel: key }) => ({ label, key }))).toEqual(listed);
    expect(listed.length).toBeLessThanOrEqual(tools.dispatches.decode);
    expect(dispatches.some(({ kernel }) => kernel.startsWith('rms-norm'))).toBe(true);
    const times = dispatches.map(({ ms }) => ms);
    if (times[0] === undefined) expect(times.every((ms) => ms === undefined)).toBe(true);
    else expect(times.every((ms) => ms !== undefined && ms >= 0)).toBe(true);
  });

  test('routers choose the golden experts at every position', async () => {
    const state = await runner.openState();
    const sets: number[][][] = golden.router_ids.map(() => []); // [layer][position]
    const request = { penalty: 1, temperature: 1, candidates: false, routes: true };
    for (const [past, id] of golden.ids.entries()) {
      const { routes } = await runner.step(state, { ...request, ids: [id], past });
      routes?.ids.forEach((ids, layer) => sets[layer]?.push([...ids].sort((a, b) => a - b)));
    }
    state.dispose();
    expect(sets).toEqual(golden.router_ids);
  });

  test('greedy text equals the golden file', async () => {
    expect(golden.greedy_min_margin).toBeGreaterThan(1e-3); // so that every id is beyond doubt
    const session = engine.session();
    const maxTokens = golden.greedy_ids.length - golden.ids.length;
    const { ids, text } = await reply(session, golden.prompt, { temperature: 0, maxTokens });
    expect(ids).toEqual(golden.greedy_ids.slice(golden.ids.length));
    expect(golden.prompt + text).toBe(golden.greedy_text);
    session.dispose();
  });

  test('a greedy token creates nothing and costs one submission, one copy and one map', async () => {
    const session = engine.session();
    const seen: RunnerTools['counters'][] = [];
    for await (const event of session.generate(golden.prompt, { temperature: 0, maxTokens: 6 })) {
      if (event.kind === 'token') seen.push(tools.counters);
    }
    session.dispose();
    expect(seen).toHaveLength(6);
    for (const [index, now] of seen.entries()) {
      const before = seen[index - 1];
      if (!before) continue;
      const { buffers, bindGroups, pipelines } = before;
      expect(now).toMatchObject({ buffers, bindGroups, pipelines });
      expect([now.submits - before.submits, now.copies - before.copies, now.maps - before.maps]).toEqual([
        1, 1, 1,
      ]);
      expect(now.dispatches - before.dispatches).toBeLessThanOrEqual(tools.dispatches.decode);
    }
  });

  test('a long prefill takes at most three times the dispatches of one token, and no map inside', async () => {
    const state = await runner.openState();
    const request = { penalty: 1, temperature: 1, candidates: false, routes: false };
    const measure = async (run: () => Promise<unknown>) => {
      const before = tools.counters;
      await run();
      const after = tools.counters;
      return { dispatches: after.dispatches - before.dispatches, maps: after.maps - before.maps };
    };
    const one = await measure(() => runner.step(state, { ...request, ids: [1], past: 0 }));
    const ids = golden.perplexity.ids.slice(0, 256);
    const many = await measure(() => runner.prefill(state, { ...request, ids, past: 0 }));
    state.dispose();
    expect(ids).toHaveLength(256);
    expect(many.maps).toBe(0);
    expect(many.dispatches).toBeLessThanOrEqual(3 * one.dispatches);
  });
});
