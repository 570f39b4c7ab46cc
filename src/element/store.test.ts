import { describe, expect, test, vi } from 'vitest';
import type { GenerateEvent } from '../engine/api.ts';
import { AtomoeError } from '../errors.ts';
import { FakeEngine, type FakeScript } from './fake-engine.ts';
import { isThinking, type ChatState, type Problem } from './state.ts';
import { ChatStore } from './store.ts';
import { visitorSentence } from './visitor-words.ts';

const STORY = 'Once upon a time, a fox sang.';

function setUp(script: FakeScript = {}) {
  const engines: FakeEngine[] = [];
  let nowMs = 0;
  const store = new ChatStore({
    openEngine: async () => {
      const engine = new FakeEngine(script);
      engines.push(engine);
      return engine;
    },
    now: () => (nowMs += 100),
  });
  const states: ChatState[] = [];
  store.subscribe((state) => states.push(state));
  return { store, states, engines, kinds: () => dedupe(states.map((state) => state.kind)) };
}

function dedupe<T>(items: readonly T[]): T[] {
  return items.filter((item, index) => item !== items[index - 1]);
}

/** Holds the reply at one token until it is released. */
function holdAt(token: number) {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const beforeToken = async (index: number, signal: AbortSignal | undefined): Promise<void> => {
    if (index !== token) return;
    const aborted = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
    await Promise.race([held, aborted]);
  };
  return { beforeToken, release };
}

const texts = (state: ChatState): string[] => state.messages.map(({ role, text }) => `${role}: ${text}`);

describe('planning and loading', () => {
  test('opens no engine before something is asked of it', () => {
    const { engines, store } = setUp();
    expect(store.getState()).toMatchObject({ kind: 'idle', messages: [] });
    expect(engines).toHaveLength(0);
  });

  test('plan, load, ready', async () => {
    const { store, kinds } = setUp();
    await store.plan('m/');
    expect(store.getState()).toMatchObject({ kind: 'planning', plan: { bytes: { download: 17_000_000 } } });
    await store.load();
    expect(store.getState()).toMatchObject({ kind: 'ready', model: { label: 'm/' } });
    expect(kinds()).toEqual(['planning', 'loading', 'ready']);
  });

  test('the rate of a download is bytes over time, once there is enough of both', async () => {
    const { store, states } = setUp({
      progress: [0, 1000, 2000, 4000].map((doneBytes) => ({
        kind: 'downloading',
        doneBytes,
        totalBytes: 4000,
        modelBytes: 4000,
        file: 'm',
      })),
    });
    await store.load('m/');
    const rates = states.flatMap((state) =>
      state.kind === 'loading' && state.progress.kind === 'downloading' ? [state.load.bytesPerSecond] : [],
    );
    // The clock moves 100 ms at every look.
    expect(rates).toEqual([undefined, undefined, 10_000, 4000 / 0.3]);
  });

  test('a download that brings nothing more is said to wait', async () => {
    vi.useFakeTimers();
    try {
      let release = (): void => {};
      const held = new Promise<void>((resolve) => (release = resolve));
      let waits = 0;
      const { store } = setUp({
        progress: [
          { kind: 'downloading', doneBytes: 1, totalBytes: 2, modelBytes: 2, file: 'm' },
          { kind: 'ready' },
        ],
        duringLoad: () => (waits++ === 1 ? held : Promise.resolve()),
      });
      const load = store.load('m/');
      await vi.advanceTimersByTimeAsync(100);
      expect(store.getState()).toMatchObject({ kind: 'loading', load: { bytesPerSecond: undefined } });
      await vi.advanceTimersByTimeAsync(2500);
      expect(store.getState()).toMatchObject({ kind: 'loading', load: { bytesPerSecond: 0 } });
      release();
      await load;
    } finally {
      vi.useRealTimers();
    }
  });

  test('figures of one model are not shown beside another', async () => {
    const { store } = setUp();
    await store.load('a/');
    await store.send('hello');
    expect(store.getState()).toMatchObject({ model: { label: 'a/' }, report: { reason: 'stop' } });
    await store.plan('b/');
    expect(store.getState()).toMatchObject({ kind: 'planning', model: undefined, report: undefined });
    await store.plan('a/');
    expect(store.getState()).toMatchObject({ kind: 'planning', model: { label: 'a/' } });
  });

  test('a visitor reads what to do, a developer the error itself', async () => {
    const message = 'this browser has no WebGPU; wanted navigator.gpu; use device: "cpu"';
    const { store } = setUp({ loadError: new AtomoeError('no-webgpu', message) });
    await store.load('m/');
    const { problem } = store.getState() as { problem?: Problem };
    expect(problem?.detail).toBe(message);
    expect(problem?.message).toMatch(/^No graphics card can be used here/);
    expect(problem?.message).not.toContain('device:');
    expect(visitorSentence('no-webgpu', '', { isSecure: false, isOnline: true })).toContain('https');
  });

  test('cancelling a load goes back to its plan, and loading again works', async () => {
    let loads = 0;
    const { store } = setUp({
      duringLoad: async (signal) => {
        if (loads++ === 0) await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      },
    });
    await store.plan('m/');
    const load = store.load();
    await vi.waitFor(() => expect(loads).toBe(1));
    store.stop();
    expect(store.getState()).toMatchObject({ kind: 'planning', plan: { family: 'fake' }, model: undefined });
    await load;
    expect(store.getState().kind).toBe('planning');
    await store.load();
    expect(store.getState().kind).toBe('ready');
  });

  test('a failed load says why and retries', async () => {
    const loadError = new AtomoeError('network', 'the server answered 503; try again later');
    const { store } = setUp({ loadError });
    await store.load('m/');
    expect(store.getState()).toMatchObject({
      kind: 'failed',
      retry: 'load',
      problem: { code: 'network', message: 'the server answered 503; try again later' },
    });
    await store.retry();
    expect(store.getState()).toMatchObject({ kind: 'failed', retry: 'load' });
  });

  test('back online, what was only planned is planned, a load goes on, and no reply is repeated', async () => {
    const script: { -readonly [K in keyof FakeScript]: FakeScript[K] } = {};
    const { store, engines, kinds } = setUp(script);
    script.planError = new AtomoeError('network', 'no network; wanted one; try again');
    await store.plan('m/');
    expect(store.getState()).toMatchObject({ kind: 'failed' });
    delete script.planError;
    await store.reconnect();
    expect(store.getState()).toMatchObject({ kind: 'planning', plan: { bytes: { download: 17_000_000 } } });
    expect(kinds()).not.toContain('loading');
    script.loadError = new AtomoeError('network', 'no network; wanted one; try again');
    await store.load();
    delete script.loadError;
    await store.reconnect();
    expect(store.getState().kind).toBe('ready');
    script.beforeToken = async () => {
      throw new AtomoeError('network', 'an expert did not come; wanted it; try again');
    };
    await store.send('Once');
    const failed = store.getState();
    expect(failed.kind).toBe('failed');
    await store.reconnect();
    expect(store.getState()).toBe(failed);
    expect(engines).toHaveLength(1);
  });

  test('a second model replaces the first while that still loads', async () => {
    const { store, engines } = setUp({ progress: Array.from({ length: 9 }, () => ({ kind: 'planning' })) });
    const first = store.load('a/');
    const second = store.load('b/');
    await Promise.all([first, second]);
    expect(store.getState()).toMatchObject({ kind: 'ready', model: { label: 'b/' } });
    expect(engines).toHaveLength(1);
  });
});

describe('replying', () => {
  test('a model without a template continues the text, and forgets the story before', async () => {
    const { store, engines } = setUp();
    await store.load('m/');
    expect(await store.send('Once')).toBe(true);
    await store.send('Twice');
    expect(engines[0]?.prompts).toEqual(['Once', 'Twice']);
    expect(texts(store.getState())).toEqual([
      'user: Once',
      `assistant: ${STORY}`,
      'user: Twice',
      `assistant: ${STORY}`,
    ]);
    expect(store.getState()).toMatchObject({ kind: 'ready', report: { reason: 'stop', seed: 7 } });
  });

  test('a model with a template hears the whole conversation', async () => {
    const { store, engines } = setUp({ hasChatTemplate: true });
    await store.load('m/');
    await store.send('Hello');
    await store.send('More');
    expect(engines[0]?.prompts[1]).toEqual([
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: STORY },
      { role: 'user', content: 'More' },
    ]);
  });

  test('sending before loading loads first', async () => {
    const { store, kinds } = setUp();
    await store.plan('m/');
    await store.send('Once');
    expect(kinds()).toEqual(['planning', 'loading', 'ready', 'replying', 'ready']);
    expect(texts(store.getState())).toEqual(['user: Once', `assistant: ${STORY}`]);
  });

  test('choosing another model loads it before the next reply, and shows nothing of the first', async () => {
    const { store } = setUp();
    await store.load('a/');
    await store.plan('b/');
    expect(store.getState()).toMatchObject({ kind: 'planning', model: undefined });
    await store.send('Once');
    expect(store.getState()).toMatchObject({ kind: 'ready', model: { label: 'b/' } });
  });

  test('nothing is said without text, without a model, or while a reply is coming', async () => {
    const { beforeToken, release } = holdAt(1);
    const { store } = setUp({ beforeToken });
    expect(await store.send('Once')).toBe(false);
    await store.load('m/');
    expect(await store.send('  \n')).toBe(false);
    const reply = store.send('Once');
    expect(await store.send('Twice')).toBe(false);
    release();
    await reply;
    expect(store.getState().messages).toHaveLength(2);
  });

  test('what is no text is refused, and nothing is said', async () => {
    const { store } = setUp();
    await store.load('m/');
    for (const wrong of [undefined, 5, {}, ['Once']]) {
      await expect(store.send(wrong as never)).rejects.toMatchObject({
        name: 'AtomoeError',
        code: 'bad-input',
      });
    }
    expect(store.getState()).toMatchObject({ kind: 'ready', messages: [] });
  });

  test('stop keeps what was said, and the next prompt waits for the engine to let go', async () => {
    const { beforeToken } = holdAt(4);
    const { store } = setUp({ beforeToken });
    await store.load('m/');
    const reply = store.send('Once');
    await vi.waitFor(() => expect(texts(store.getState())[1]).toBe('assistant: Once upon a time'));
    store.stop();
    expect(store.getState()).toMatchObject({ kind: 'stopped' });
    expect(store.getState().messages[1]).toMatchObject({ status: 'stopped', text: 'Once upon a time' });
    const next = store.send('Twice'); // at once: a busy session would refuse
    await reply;
    await vi.waitFor(() => expect(store.getState().kind).toBe('replying'));
    store.stop();
    await next;
    expect(store.getState().kind).toBe('stopped');
  });

  test('thoughts are kept apart from the answer, and go back to the model as such', async () => {
    const { beforeToken, release } = holdAt(2);
    const thoughts = ['A fox?', ' Yes.'];
    const { store, engines } = setUp({ hasChatTemplate: true, thoughts, words: ['A', ' fox.'], beforeToken });
    await store.load('m/');
    const reply = store.send('What sang?');
    const last = () => store.getState().messages.at(-1)!;
    await vi.waitFor(() => expect(last()).toMatchObject({ text: '', thoughts: 'A fox? Yes.' }));
    expect(isThinking(last())).toBe(true);
    release();
    await reply;
    expect(last()).toMatchObject({ text: 'A fox.', thoughts: 'A fox? Yes.', status: 'complete' });
    expect(isThinking(last())).toBe(false);
    await store.send('Why?');
    expect(engines[0]?.prompts[1]).toEqual([
      { role: 'user', content: 'What sang?' },
      { role: 'assistant', content: 'A fox.', reasoning_content: 'A fox? Yes.' },
      { role: 'user', content: 'Why?' },
    ]);
  });

  test('a reply that was stopped in its thoughts keeps them', async () => {
    const { beforeToken } = holdAt(1);
    const { store } = setUp({ hasChatTemplate: true, thoughts: ['A fox?', ' Yes.'], beforeToken });
    await store.load('m/');
    const reply = store.send('What sang?');
    await vi.waitFor(() => expect(store.getState().messages.at(-1)).toMatchObject({ thoughts: 'A fox?' }));
    store.stop();
    await reply;
    expect(store.getState().messages.at(-1)).toMatchObject({
      status: 'stopped',
      text: '',
      thoughts: 'A fox?',
    });
  });

  test('taps hear every event with its routes', async () => {
    const { store } = setUp();
    const events: GenerateEvent[] = [];
    store.tap((event) => events.push(event));
    await store.load('m/');
    await store.send('Once', { routes: true });
    expect(events[0]?.kind).toBe('prefill');
    expect(events[1]).toMatchObject({ kind: 'token', routes: { ids: [[0, 5], [0, 1]] } }); // prettier-ignore
    expect(events.at(-1)?.kind).toBe('done');
  });

  test('an error in mid-reply stands where the answer would; retry says it again', async () => {
    const error = new AtomoeError('non-finite', 'NaN in layer 3; load the file again');
    const { store, engines } = setUp({ replyError: { afterTokens: 2, error } });
    await store.load('m/');
    await store.send('Once');
    expect(store.getState()).toMatchObject({
      kind: 'failed',
      retry: 'send',
      problem: { code: 'non-finite' },
    });
    expect(store.getState().messages[1]).toMatchObject({ status: 'failed', text: 'Once upon' });
    await store.retry();
    expect(engines[0]?.prompts).toEqual(['Once', 'Once']);
    expect(texts(store.getState())).toEqual(['user: Once', 'assistant: Once upon']);
  });

  test('clear in mid-reply forgets the chat and keeps the model', async () => {
    const { beforeToken } = holdAt(2);
    const { store } = setUp({ beforeToken });
    await store.load('m/');
    const reply = store.send('Once');
    await vi.waitFor(() => expect(store.getState().messages[1]?.text).toBe('Once upon'));
    store.clear();
    await reply;
    expect(store.getState()).toMatchObject({ kind: 'ready', messages: [], model: { label: 'm/' } });
  });
});

describe('engines', () => {
  test('a lost device is a failure, and retry opens another engine', async () => {
    const { store, engines } = setUp();
    await store.load('m/');
    engines[0]?.lose(new AtomoeError('device-lost', 'the driver restarted; try again'));
    await vi.waitFor(() => expect(store.getState().kind).toBe('failed'));
    expect(store.getState()).toMatchObject({
      retry: 'load',
      model: undefined,
      problem: { code: 'device-lost' },
    });
    await vi.waitFor(() => expect(engines[0]?.isDisposed).toBe(true));
    await store.retry();
    expect(engines).toHaveLength(2);
    expect(store.getState()).toMatchObject({ kind: 'ready', model: { label: 'm/' } });
  });

  test('an engine that cannot open is a failure, and is asked for again on retry', async () => {
    let attempts = 0;
    const store = new ChatStore({
      openEngine: async () => {
        if (attempts++ === 0) throw new AtomoeError('no-webgpu', 'this browser has no WebGPU');
        return new FakeEngine();
      },
    });
    await store.load('m/');
    expect(store.getState()).toMatchObject({ kind: 'failed', problem: { code: 'no-webgpu' } });
    await store.retry();
    expect(store.getState().kind).toBe('ready');
  });

  test('an adopted engine is used as it is and never disposed', async () => {
    const engine = new FakeEngine();
    await engine.load('m/');
    const { store, engines } = setUp();
    store.adopt(engine);
    expect(store.getState()).toMatchObject({ kind: 'ready', model: { label: 'm/' } });
    await store.send('Once');
    store.dispose();
    expect(engines).toHaveLength(0);
    expect(engine.isDisposed).toBe(false);
  });

  test('dispose in mid-reply lets go of an engine of its own', async () => {
    const { beforeToken } = holdAt(2);
    const { store, engines } = setUp({ beforeToken });
    await store.load('m/');
    const reply = store.send('Once');
    await vi.waitFor(() => expect(store.getState().messages[1]?.text).toBe('Once upon'));
    store.dispose();
    await reply;
    await vi.waitFor(() => expect(engines[0]?.isDisposed).toBe(true));
  });

  test('every state is frozen', async () => {
    const { store, states } = setUp();
    await store.load('m/');
    await store.send('Once');
    expect(states.every((state) => Object.isFrozen(state) && Object.isFrozen(state.messages))).toBe(true);
  });
});
