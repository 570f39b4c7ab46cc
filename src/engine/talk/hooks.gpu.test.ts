/** Hooks and traces through sessions and chats, on a trained model; and what they cost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GenerateEvent, GenerateOptions, RoutingHooks, RoutingTrace, Session } from '../api.ts';
import type { LocalEngine } from '../engine.ts';
import { openEngine, repositoryFolder } from '../testing.ts';
import { readHooks } from './hooks.ts';
import { draftModel } from '../load/planning.ts';

const FOLDER = 'demo/public/models/fable-moe-12m';
const PROMPT = 'Once upon a time, there was a little';
const LAYERS = 6;
const greedy = { temperature: 0, maxTokens: 8, logprobs: 3 };
const mute: RoutingHooks = { all: { mask: [0, 1, 2, 3, 4, 5, 6, 7] } };

type Done = Extract<GenerateEvent, { kind: 'done' }>;

interface Told {
  readonly done: Done;
  readonly logprobs: readonly (number | undefined)[];
}

async function tell(session: Session, options: GenerateOptions, prompt = PROMPT): Promise<Told> {
  const logprobs: (number | undefined)[] = [];
  let done: Done | undefined;
  for await (const event of session.generate(prompt, { ...greedy, ...options })) {
    if (event.kind === 'token')
      logprobs.push(event.logprob, ...(event.alternatives ?? []).map((one) => one.logprob));
    if (event.kind === 'done') done = event;
  }
  if (!done) throw new Error('no end');
  return { done, logprobs };
}

describe.each(['gpu', 'cpu'] as const)('on %s', (device) => {
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(await repositoryFolder(FOLDER), { contextTokens: 64 });
  });

  afterAll(() => engine.dispose());

  test('one reply is recorded, another replays it, and a third through the chat does', async () => {
    const [one, two] = [engine.session(), engine.session()];
    const recorded = await tell(one, { trace: true });
    const { trace } = recorded.done;
    if (!trace) throw new Error('no trace');
    const { promptTokens, completionTokens } = recorded.done.usage;
    expect(trace.from).toBe(0);
    expect(trace.tokens).toHaveLength(promptTokens + completionTokens - 1); // the last one is not computed
    expect(
      trace.tokens.every(({ ids }) => ids.length === LAYERS && ids.every((list) => list.length === 4)),
    ).toBe(true);
    const replayed = await tell(two, { trace: true, hooks: { replay: { trace } } });
    expect(replayed.logprobs).toEqual(recorded.logprobs);
    expect(replayed.done.trace).toEqual(trace);
    one.dispose();
    two.dispose();
    const { choices } = await engine.chat.completions.create({
      messages: [{ role: 'user', content: PROMPT }],
      temperature: 0,
      max_tokens: 8,
      atomoe: { trace: true, hooks: { replay: { trace } } },
    });
    expect(choices[0]?.message.content).toBe(recorded.done.text);
    expect(choices[0]?.atomoe.trace).toEqual(trace);
  });

  test('routes of events are those of the trace, and can be replayed', async () => {
    const session = engine.session();
    const seen: RoutingTrace['tokens'][number][] = [];
    let done: Done | undefined;
    for await (const event of session.generate(PROMPT, { ...greedy, routes: true, trace: true })) {
      if (event.kind === 'token' && event.routes) seen.push(event.routes);
      if (event.kind === 'done') done = event;
    }
    session.dispose();
    expect(done?.trace?.tokens.slice(-seen.length)).toEqual(seen);
  });

  test('the cache of other hooks is computed again, that of the same ones is used', async () => {
    const session = engine.session();
    const plain = await tell(session, {});
    const muted = await tell(session, { hooks: mute, trace: true });
    expect(muted.done.usage.reusedTokens).toBe(0);
    expect(muted.logprobs).not.toEqual(plain.logprobs);
    const ids = new Set(muted.done.trace?.tokens.flatMap((token) => token.ids.flat()));
    expect([...ids].filter((id) => id < 8)).toEqual([]);
    const again = await tell(session, { hooks: mute, trace: true });
    expect(again.done.usage.reusedTokens).toBe(muted.done.usage.promptTokens - 1);
    expect(again.done.trace?.from).toBe(again.done.usage.reusedTokens);
    expect(again.done.text).toBe(muted.done.text);
    const after = await tell(session, {});
    expect(after.done.usage.reusedTokens).toBe(0);
    expect(after.logprobs).toEqual(plain.logprobs);
    session.dispose();
  });

  test('two sessions with other hooks take turns', async () => {
    const fresh = async (hooks: RoutingHooks) => {
      const session = engine.session();
      const told = await tell(session, { hooks });
      session.dispose();
      return told.logprobs;
    };
    const ranks: RoutingHooks = { all: { ranks: [1, 0] } };
    const alone = [await fresh(mute), await fresh(ranks)];
    expect(await Promise.all([fresh(mute), fresh(ranks)])).toEqual(alone);
    expect(alone[0]).not.toEqual(alone[1]);
  });

  test('what hooks take is given back with the last session that had some', async () => {
    const before = engine.memory().totalBytes;
    const session = engine.session();
    await tell(session, {});
    const plain = engine.memory().activationsBytes;
    await tell(session, { hooks: mute });
    expect(engine.memory().activationsBytes).toBeGreaterThan(plain);
    session.dispose();
    await expect.poll(() => engine.memory().totalBytes).toBe(before);
  });

  test('wrong hooks are one error with the path, when the reply is read', async () => {
    const session = engine.session();
    const error = {
      code: 'bad-input',
      message: expect.stringMatching(/^hooks\.all\.mask\.0 is 32; wanted an expert of 0 to 31/),
    };
    await expect(tell(session, { hooks: { all: { mask: [32] } } })).rejects.toMatchObject(error);
    await expect(tell(session, { hooks: 5 as never })).rejects.toThrow(/^hooks is 5; wanted a plain object/);
    const request = {
      messages: [{ role: 'user', content: 'a' }],
      atomoe: { hooks: { all: { mask: [32] } } },
    } as const;
    await expect(engine.chat.completions.create(request)).rejects.toMatchObject(error);
    expect((await tell(session, {})).done.reason).toBe('length');
    session.dispose();
  });
});

test('a product router is named', async () => {
  const engine = await openEngine();
  await engine.load(await repositoryFolder('demo/public/models/fable-omni-8m'), { contextTokens: 48 });
  const session = engine.session();
  await expect(tell(session, { hooks: { all: { mask: [1] } } })).rejects.toThrow(
    /router of layer 0 is "product"/,
  );
  const { done } = await tell(session, { trace: true });
  expect(done.trace?.tokens.length).toBe(done.usage.promptTokens + 7);
  engine.dispose();
});

test('a step without hooks has the dispatches that it had; hooks add one to a layer whose logits they edit, or none', async () => {
  const engine = await openEngine();
  await engine.load(await repositoryFolder(FOLDER), { contextTokens: 64 });
  const model = await draftModel(await repositoryFolder(FOLDER), {});
  const { runner } = engine;
  const { tools } = runner;
  if (!tools) throw new Error('no GPU');
  const state = await runner.openState();
  const request = { penalty: 1, temperature: 1, candidates: false, routes: false };
  /** Dispatches of a token, and pipelines so far. */
  const step = async (given?: RoutingHooks) => {
    const hooks = given && readHooks(given, model);
    await runner.step(state, { ...request, ids: [1, 2, 3], past: 0, hooks });
    const { dispatches } = tools.counters;
    await runner.step(state, { ...request, ids: [4], past: 3, hooks });
    return { dispatches: tools.counters.dispatches - dispatches, pipelines: tools.counters.pipelines };
  };
  const zeros = Array.from({ length: 32 }, () => 0);
  const { pipelines: loaded } = tools.counters;
  const plain = await step();
  expect(plain.pipelines).toBe(loaded);
  const edited = await step({ all: { bias: zeros, mask: [3] } });
  expect(edited.dispatches - plain.dispatches).toBe(LAYERS);
  const one = Array.from({ length: LAYERS }, (_, bank) => (bank === 2 ? { bias: zeros } : null));
  expect((await step({ layers: one })).dispatches - plain.dispatches).toBe(1);
  expect((await step({ all: { ranks: [1, 0] } })).dispatches).toBe(plain.dispatches);
  const trace = { tokens: [{ ids: Array.from({ length: LAYERS }, () => [5]), weights: [] }] };
  const replayed = await step({ replay: { trace } });
  expect(replayed.dispatches).toBe(plain.dispatches);
  expect(await step()).toEqual({ dispatches: plain.dispatches, pipelines: replayed.pipelines });
  // The hooked gate of tokens, that of prompts where it has another form, and the edits.
  expect(replayed.pipelines - loaded).toBeLessThanOrEqual(3);
  state.dispose();
  engine.dispose();
});
