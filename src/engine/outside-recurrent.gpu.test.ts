/**
 * A mixer from outside whose state cannot be cut back: whatever happens to a session, it says what an undisturbed one
 * says, bit for bit.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Gpu } from '../gpu/device.ts';
import type { GenerateOptions, LoadOptions, Session } from './api.ts';
import type { EngineOptions, LocalEngine } from './engine.ts';
import { recurrentFamily, recurrentFolder, RECURRENT_VOCAB } from './recurrent-model.testing.ts';
import type { Runner } from './run/runner.ts';
import { forced } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const folder = recurrentFolder();

/** Of two chunks: 256 tokens and the rest. */
const PROMPT = 'the fox and the moon went over the river. '.repeat(7);
const TOKENS = 8;

const STREAMED: LoadOptions = {
  streaming: { start: 'now', slotsPerLayer: 3, runAhead: 3, hostBudget: 0, fill: false },
};

interface Told {
  text: string;
  numbers: number[]; // of each token its id and its log-probability
  reason: string;
  reused: number;
}

interface Hooks extends GenerateOptions {
  onToken?: (tokens: number) => void;
  onPrefill?: (doneTokens: number) => void;
}

async function tell(session: Session, prompt: string, { onToken, onPrefill, ...options }: Hooks = {}) {
  const told: Told = { text: '', numbers: [], reason: '', reused: 0 };
  const asked = { temperature: 0, maxTokens: TOKENS, logprobs: 1, ...options };
  for await (const event of session.generate(prompt, asked)) {
    if (event.kind === 'prefill') onPrefill?.(event.doneTokens);
    if (event.kind === 'done')
      Object.assign(told, { reason: event.reason, reused: event.usage.reusedTokens });
    if (event.kind !== 'token') continue;
    told.text += event.text;
    told.numbers.push(event.id, event.logprob ?? NaN);
    onToken?.(told.numbers.length / 2);
  }
  return told;
}

async function load(load: LoadOptions = {}, options: EngineOptions = {}): Promise<LocalEngine> {
  const engine = await openEngine({ families: [recurrentFamily], ...options });
  await engine.load(folder, load);
  return engine;
}

describe.each([
  ['cpu', {}, { device: 'cpu' }],
  ['reference', {}, { device: 'reference' }],
  ['gpu', {}, {}],
  ['gpu, streamed', STREAMED, {}],
] as const)('%s', (where, loadOptions, options) => {
  let engine: LocalEngine;
  let story: Told;

  beforeAll(async () => {
    engine = await load(loadOptions, options);
    const session = engine.session();
    story = await tell(session, PROMPT);
    session.dispose();
  });

  afterAll(() => engine.dispose());

  /** What a session says that did nothing before. */
  async function fresh(prompt: string): Promise<Told> {
    const session = engine.session();
    const told = await tell(session, prompt);
    session.dispose();
    return told;
  }

  test('the story is long, and depends on its beginning', async () => {
    expect(story.numbers).toHaveLength(2 * TOKENS);
    expect(story.numbers.every(Number.isFinite)).toBe(true);
    expect((await fresh(`a${PROMPT}`)).numbers).not.toEqual(story.numbers);
  });

  test('a prompt that goes on where the session is takes up its state', async () => {
    const session = engine.session();
    await tell(session, PROMPT);
    const state = session.tokens;
    const longer = `${PROMPT}${story.text} and so on`;
    const reused = await tell(session, longer);
    session.dispose();
    expect(reused.reused).toBe(state);
    // The same steps, one by one.
    const { runner, tokenizer } = engine;
    const ids = tokenizer!.encode(longer);
    const promptTokens = tokenizer!.encode(PROMPT).length;
    const cuts = [0, 256, promptTokens, ...steps(promptTokens + 1, state), ids.length];
    const best = await lastBest(runner, ids, cuts);
    expect(reused.numbers[0]).toBe(best);
    expect(reused.text).toBe((await fresh(longer)).text);
  });

  test.each([
    ['the same prompt again', PROMPT],
    ['a prompt that leaves it', `${PROMPT.slice(0, 270)}?`],
  ])('%s begins anew', async (_case, prompt) => {
    const session = engine.session();
    await tell(session, PROMPT);
    const again = await tell(session, prompt);
    session.dispose();
    expect(again.reused).toBe(0);
    expect(again.numbers).toEqual((await fresh(prompt)).numbers);
  });

  test('an abort between two chunks of a prompt keeps the first', async () => {
    const session = engine.session();
    const abort = new AbortController();
    const onPrefill = (done: number) => done === 256 && abort.abort();
    expect((await tell(session, PROMPT, { onPrefill, signal: abort.signal })).reason).toBe('abort');
    const again = await tell(session, PROMPT);
    session.dispose();
    expect(again.reused).toBe(256);
    expect(again.numbers).toEqual(story.numbers);
  });

  test('an abort in mid-reply: the same prompt says the same, and the reply can go on', async () => {
    const session = engine.session();
    const abort = new AbortController();
    const onToken = (tokens: number) => tokens === 3 && abort.abort();
    const told = await tell(session, PROMPT, { onToken, signal: abort.signal });
    expect(told.reason).toBe('abort');
    const rest = await tell(session, PROMPT + told.text, { maxTokens: TOKENS - 3 });
    expect(told.text + rest.text).toBe(story.text);
    expect((await tell(session, PROMPT)).numbers).toEqual(story.numbers);
    session.dispose();
  });
});

describe('experts that come as they are needed', () => {
  let onRead: (() => void) | undefined;
  let engine: LocalEngine;

  beforeAll(async () => {
    engine = await load(STREAMED, { streamTesting: { delay: () => Promise.resolve(onRead?.()) } });
  });

  afterAll(() => engine.dispose());

  test.each([
    ['a prompt', 0, 3],
    ['a token', 3, 1],
  ])('an abort in the middle of %s leaves its step undone', async (_case, atToken, atRead) => {
    const session = engine.session();
    const story = await tell(session, PROMPT);
    session.reset();
    const abort = new AbortController();
    let reads = 0;
    const arm = () => (onRead = () => (reads += 1) === atRead && abort.abort());
    if (atToken === 0) arm();
    const onToken = (tokens: number) => tokens === atToken && arm();
    const told = await tell(session, PROMPT, { onToken, signal: abort.signal });
    onRead = undefined;
    expect([told.reason, told.numbers.length / 2]).toEqual(['abort', atToken]);
    const rest = await tell(session, PROMPT + told.text, { maxTokens: TOKENS - atToken });
    expect(told.text + rest.text).toBe(story.text);
    expect(rest.reused).toBe(atToken === 0 ? 0 : PROMPT.length + atToken - 1);
    // As many steps of the same tokens: the same bits.
    if (atToken === 0) expect(rest.numbers).toEqual(story.numbers);
    session.dispose();
  });
});

const steps = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** Runs ids in steps that end at `cuts`, and gives the best token behind them. */
async function lastBest(runner: Runner, ids: readonly number[], cuts: readonly number[]): Promise<number> {
  const state = await runner.openState();
  const request = { penalty: 1, temperature: 1, candidates: false, routes: false };
  let best = -1;
  for (const [at, past] of cuts.slice(0, -1).entries())
    ({ best } = await runner.step(state, { ...request, ids: ids.slice(past, cuts[at + 1]), past }));
  state.dispose();
  return best;
}

const IDS = Array.from({ length: 48 }, (_, at) => (at * 11 + 5) % RECURRENT_VOCAB);

describe('on the GPU, token by token', () => {
  let want: Float32Array;

  beforeAll(async () => {
    const engine = await load();
    want = await forced(engine.runner, IDS, 20);
    engine.dispose();
  });

  test('what a step keeps reaches the next: the logits are those of all tokens at once, by reference', async () => {
    const engine = await load({}, { device: 'reference' });
    const all = await engine.logits(IDS);
    expect(largestError(want, all.subarray(19 * RECURRENT_VOCAB))).toBeLessThan(1e-4);
    expect(firstDifference(await engine.logits(IDS, 'one-by-one'), all)).toBe('equal');
    engine.dispose();
  });

  test.each([0, 1, 3])('running %d layers ahead gives the same bits', async (runAhead) => {
    const engine = await load({ streaming: { ...STREAMED.streaming, runAhead } });
    expect(firstDifference(await forced(engine.runner, IDS, 20), want)).toBe('equal');
    const { aborts } = engine.runner.experts!.steps.counters;
    expect(aborts > 0).toBe(runAhead > 0);
    engine.dispose();
  });

  test.each([
    ['the prompt', 10],
    ['a token', 30],
  ])('a device is lost in the middle of %s: the next one gives the same bits', async (_case, atRead) => {
    const { device } = await Gpu.open({ gpu: navigator.gpu, features: ['subgroups'] });
    let reads = 0;
    const delay = async () => {
      reads += 1;
      if (reads === atRead) device.destroy();
    };
    const first = await load(STREAMED, { device, streamTesting: { delay } });
    const failing = forced(first.runner, IDS, 20);
    await expect(failing).rejects.toMatchObject({ name: 'AtomoeError', code: 'device-lost' });
    first.dispose();
    const second = await load(STREAMED);
    expect(firstDifference(await forced(second.runner, IDS, 20), want)).toBe('equal');
    second.dispose();
  });

  test('a step that does not begin where the state is, is refused', async () => {
    const engine = await load();
    const state = await engine.runner.openState();
    const request = { penalty: 1, temperature: 1, candidates: false, routes: false };
    await engine.runner.step(state, { ...request, ids: [1, 2, 3], past: 0 });
    await expect(engine.runner.step(state, { ...request, ids: [4], past: 2 })).rejects.toThrow(/rewindTo/);
    expect(engine.runner.rewindTo(state, 3)).toBe(3);
    expect(engine.runner.rewindTo(state, 2)).toBe(0);
    state.dispose();
    engine.dispose();
  });
});
