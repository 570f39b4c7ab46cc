/** Threads change no bit, come and go with their engine, and a model continues without one that dies. */
import { expect, test, vi } from 'vitest';
import { startNodeThreads } from '../simd/node-threads.ts';
import type { Thread } from '../simd/thread-pool.ts';
import { LocalEngine, type EngineOptions } from './engine.ts';
import { forced, modelInMemory } from './streaming.testing.ts';
import { firstDifference, readGolden, TRAINED_MODELS, type TrainedGolden } from './testing.ts';

const PROMPT_TOKENS = 160;

async function open(name: string, options: EngineOptions) {
  const folder = await modelInMemory(`demo/public/models/${name}`);
  const { ids } = (await readGolden<TrainedGolden>(folder)).perplexity;
  const engine = await LocalEngine.open({ device: 'cpu', ...options });
  await engine.load(folder);
  return { engine, ids: ids.slice(0, PROMPT_TOKENS + 16) };
}

test.each(TRAINED_MODELS)('%s gives the same bits with one, two and three threads', async (name) => {
  const alone = await open(name, { threads: 1 });
  const want = await forced(alone.engine.runner, alone.ids, PROMPT_TOKENS);
  alone.engine.dispose();
  for (const threads of [2, 3]) {
    const { engine, ids } = await open(name, { threads });
    expect(engine.adapter.name).toContain(`${threads} threads`);
    for (let round = 0; round < 2; round += 1)
      expect(firstDifference(await forced(engine.runner, ids, PROMPT_TOKENS), want)).toBe('equal');
    engine.dispose();
  }
});

test('threads work, and a model goes on without those that die', async () => {
  const started: Thread[] = [];
  const startThreads = (count: number) => {
    started.push(...startNodeThreads(count));
    return started;
  };
  const { engine, ids } = await open('fable-moe-12m', { threads: 2, startThreads });
  const want = await forced(engine.runner, ids, PROMPT_TOKENS);
  started[0]?.terminate();
  expect(firstDifference(await forced(engine.runner, ids, PROMPT_TOKENS), want)).toBe('equal');
  engine.dispose();
});

test('an engine ends its threads', async () => {
  const ended = vi.fn();
  const startThreads = (count: number) =>
    startNodeThreads(count).map((thread) => ({
      postMessage: (message: Parameters<Thread['postMessage']>[0]) => thread.postMessage(message),
      terminate: () => {
        ended();
        thread.terminate();
      },
    }));
  const { engine } = await open('fable-moe-12m', { threads: 3, startThreads });
  engine.dispose();
  await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(2));
});

test('where the system refuses a shared memory, one thread does the work', async () => {
  const { Memory } = WebAssembly;
  const refused = vi.spyOn(WebAssembly, 'Memory').mockImplementation(function (
    descriptor: WebAssembly.MemoryDescriptor,
  ) {
    if (descriptor.shared) throw new RangeError('could not allocate memory');
    return new Memory(descriptor);
  });
  const { engine, ids } = await open('fable-moe-12m', { threads: 2 });
  expect(engine.adapter.name).toMatch(/^WebAssembly SIMD \((plain|relaxed)\)$/);
  expect((await forced(engine.runner, ids, PROMPT_TOKENS)).every(Number.isFinite)).toBe(true);
  engine.dispose();
  refused.mockRestore();
});

test('where the system refuses any memory, the error is typed, and the engine can be used again', async () => {
  const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
  const folder = await modelInMemory('demo/public/models/fable-moe-12m');
  const refused = vi.spyOn(WebAssembly, 'Memory').mockImplementation(function () {
    throw new RangeError('could not allocate memory');
  });
  await expect(engine.load(folder)).rejects.toMatchObject({ code: 'out-of-memory' });
  refused.mockRestore();
  await engine.load(folder);
  expect(engine.model).toBeDefined();
  engine.dispose();
});

test('replies let other work in, though each of their steps is short', async () => {
  const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
  await engine.load(await modelInMemory('demo/public/models/fable-omni-8m'));
  let hasRun = false;
  setTimeout(() => (hasRun = true));
  let replies = 0;
  for (; !hasRun && replies < 400; replies += 1) {
    for await (const event of engine.session().generate('Once', { maxTokens: 8 })) void event;
  }
  expect(replies).toBeLessThan(400);
  engine.dispose();
});
