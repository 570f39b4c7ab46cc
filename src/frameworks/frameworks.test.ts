import { afterEach, expect, test, vi } from 'vitest';
import { FakeEngine, type FakeScript } from '../element/fake-engine.ts';
import { AtomoeError } from '../errors.ts';
import type { AtomoeOptions } from './chat.ts';
import { createAtomoe } from './svelte.ts';
import type { AtomoeView } from './view.ts';

afterEach(() => vi.unstubAllGlobals());

/** A store with a fake engine, on a page or on a server. */
function setUp(script: FakeScript = {}, options: Partial<AtomoeOptions> = {}, isPage = true) {
  const engines: FakeEngine[] = [];
  const openEngine = async () => {
    const engine = new FakeEngine(script);
    engines.push(engine);
    return engine;
  };
  if (isPage) vi.stubGlobal('document', {});
  const chat = createAtomoe({ model: 'm/', openEngine, ...options });
  const views: AtomoeView[] = [];
  return { chat, engines, views, subscribe: () => chat.subscribe((view) => views.push(view)) };
}

const MB = 1_000_000;

test('the first subscriber loads the model, and the last one lets go of the engine', async () => {
  const progress = [
    { kind: 'downloading', doneBytes: MB, totalBytes: 4 * MB, modelBytes: 4 * MB, file: 'a' } as const,
  ];
  const { engines, views, subscribe } = setUp({ progress });
  const leave = subscribe();
  const leaveToo = subscribe();
  await vi.waitFor(() => expect(views.at(-1)?.isReady).toBe(true));
  expect(views[0]).toMatchObject({
    status: 'idle',
    isReady: false,
    messages: [],
    text: '',
    error: undefined,
  });
  expect(views.map((view) => view.progress?.fraction)).toContain(0.225); // the bytes are nine tenths of a load;
  expect(views.at(-1)).toMatchObject({
    status: 'ready',
    progress: undefined,
    state: { model: { label: 'm/' } },
  });
  leave();
  expect(engines[0]?.isDisposed).toBe(false);
  leaveToo();
  await vi.waitFor(() => expect(engines[0]?.isDisposed).toBe(true));
  // Shown again, it opens another.
  subscribe();
  await vi.waitFor(() => expect(engines[1]?.model?.label).toBe('m/'));
});

test('a message is answered word by word, with the options of all replies below its own', async () => {
  const { chat, engines, views, subscribe } = setUp(
    { hasChatTemplate: true },
    {
      generateOptions: { maxTokens: 20, temperature: 0.5 },
      systemPrompt: 'Be brief.',
    },
  );
  subscribe();
  expect(await chat.send('too early')).toBe(false);
  await vi.waitFor(() => expect(views.at(-1)?.isReady).toBe(true));
  expect(await chat.send('Tell me', { temperature: 0 })).toBe(true);
  const texts = [...new Set(views.map(({ text }) => text))];
  expect(texts.slice(0, 4)).toEqual(['', 'Once', 'Once upon', 'Once upon a']);
  expect(views.at(-1)).toMatchObject({ status: 'ready', text: 'Once upon a time, a fox sang.' });
  expect(engines[0]?.options[0]).toMatchObject({ maxTokens: 20, temperature: 0 });
  expect(engines[0]?.prompts[0]).toMatchObject([{ role: 'system', content: 'Be brief.' }, { role: 'user' }]);
  const reply = views.at(-1)?.messages.at(-1);
  expect(await chat.regenerate(reply?.id ?? -1)).toBe(true);
  expect(views.at(-1)?.messages.at(-1)?.versions).toHaveLength(2);
  chat.clear();
  expect(views.at(-1)?.messages).toEqual([]);
});

test('a reply is stopped, and its text stays', async () => {
  const script: FakeScript = {
    beforeToken: async (index, signal) => {
      if (index === 2)
        await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
    },
  };
  const { chat, views, subscribe } = setUp(script);
  subscribe();
  await vi.waitFor(() => expect(views.at(-1)?.isReady).toBe(true));
  const sent = chat.send('Tell me');
  await vi.waitFor(() => expect(views.at(-1)?.text).toBe('Once upon'));
  expect(views.at(-1)).toMatchObject({ status: 'replying', isReady: false });
  chat.stop();
  await sent;
  expect(views.at(-1)).toMatchObject({ status: 'stopped', isReady: true, text: 'Once upon' });
});

test('what fails is an error with its code, and is done again', async () => {
  const script = {
    loadError: new AtomoeError('network', 'm/ answered 404; wanted a model; look') as unknown,
  };
  const { chat, views, subscribe } = setUp(script);
  subscribe();
  await vi.waitFor(() => expect(views.at(-1)?.error?.code).toBe('network'));
  script.loadError = undefined;
  await chat.retry();
  expect(views.at(-1)).toMatchObject({ status: 'ready', error: undefined });
});

test('nothing is loaded on a server, nor before it is wanted', async () => {
  const onServer = setUp({}, {}, false);
  onServer.subscribe()();
  const later = setUp({}, { autoload: false });
  later.subscribe();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect([onServer.engines, later.engines]).toEqual([[], []]);
  expect(onServer.views).toMatchObject([{ status: 'idle' }]);
  await later.chat.load('other/');
  expect(later.views.at(-1)?.state.model?.label).toBe('other/');
});

test('what is asked for after the last subscriber has left opens nothing', async () => {
  const { engines, views, subscribe } = setUp();
  const leave = subscribe();
  subscribe();
  leave();
  leave(); // once more: the other one is still there
  await vi.waitFor(() => expect(views.at(-1)?.isReady).toBe(true));
  expect(engines[0]?.isDisposed).toBe(false);
  const gone = setUp();
  gone.subscribe()();
  await gone.chat.load();
  expect(await gone.chat.send('Tell me')).toBe(false);
  expect(gone.engines.every(({ isDisposed }) => isDisposed)).toBe(true);
});
