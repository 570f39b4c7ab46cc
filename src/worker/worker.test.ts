import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ChatCompletionRequest, GenerateEvent, LoadProgress, ModelFiles } from '../engine/api.ts';
import { FakeEngine, type FakeScript } from '../element/fake-engine.ts';
import { AtomoeError } from '../errors.ts';
import { ema } from '../experts/policy.ts';
import { connectEngine } from './client.ts';
import { hostEngine } from './host.ts';
import { createWorkerEngine } from './open.ts';
import type { ToClient } from './protocol.ts';

const open: MessagePort[] = [];
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

/** A host and a client over a real message channel, and every message that came back. */
async function connect(script: FakeScript = {}, fake = new FakeEngine(script)) {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  let closed = 0;
  let hostDisposed = 0;
  hostEngine(
    port2,
    async () => fake,
    () => hostDisposed++,
  );
  const received: ToClient[] = [];
  port1.addEventListener('message', (event) => received.push(event.data as ToClient));
  const connection = connectEngine(port1, { close: () => closed++ });
  const engine = await connection.engine;
  return { engine, fake, connection, received, closed: () => closed, hostDisposed: () => hostDisposed };
}

async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

/** A gate that tests open by hand. */
function gate() {
  let release = (): void => {};
  const passed = new Promise<void>((resolve) => (release = resolve));
  return { passed, release };
}

describe('the entry', () => {
  afterEach(() => vi.unstubAllGlobals());

  test('answers what came before the engine was there, once', async () => {
    const sent: ToClient[] = [];
    const scope = Object.assign(new EventTarget(), {
      postMessage: (message: ToClient) => sent.push(message),
      close: () => {},
    });
    vi.stubGlobal('WorkerGlobalScope', EventTarget);
    vi.stubGlobal('self', scope);
    await import('./worker.ts');
    const say = (data: object) => scope.dispatchEvent(new MessageEvent('message', { data }));
    say({ kind: 'open', options: { device: 'reference' }, id: 0 });
    await vi.waitFor(() => expect(sent).toHaveLength(2), { timeout: 20_000 });
    say({ kind: 'dispose' });
    await vi.waitFor(() => expect(sent).toHaveLength(3));
    expect(sent).toMatchObject([
      { kind: 'alive' },
      { kind: 'result', id: 0, result: { kind: 'opened' } },
      { kind: 'disposed' },
    ]);
  });

  test('holds nothing that a later chunk could import, since WebKit would evaluate it again', async () => {
    const source = await readFile(new URL('./worker.ts', import.meta.url), 'utf8');
    expect(source.match(/^import (?!type ).*$/gm) ?? []).toEqual([]);
    expect(source).toContain("await import('./serve.ts')");
  });
});

describe('calls', () => {
  test('plan, load, memory and the adapter are those of the hosted engine', async () => {
    const { engine, fake } = await connect();
    expect(engine.adapter).toEqual(fake.adapter);
    expect(engine.model).toBeUndefined();
    expect((await engine.plan('https://example.org/m/')).bytes.download).toBe(17_000_000);
    const info = await engine.load('https://example.org/m/');
    expect(engine.model).toEqual(info);
    expect(engine.memory()).toEqual(fake.memory());
    expect(fake.sources).toEqual(['https://example.org/m/', 'https://example.org/m/']);
  });

  test('headers cross; a fetch of one’s own cannot, and says so before anything is sent', async () => {
    const headers = { authorization: 'Bearer hf_t0ken' };
    const seen: unknown[] = [];
    const fake = new FakeEngine({});
    const { engine } = await connect({}, fake);
    const plan = fake.plan.bind(fake);
    fake.plan = (source, options) => {
      seen.push(options?.headers);
      return plan(source, options);
    };
    await engine.plan('https://example.org/m/', { headers });
    expect(seen).toEqual([headers]);
    for (const call of [
      () => engine.plan('m/', { fetch }),
      () => engine.load('m/', { fetch }),
      () => createWorkerEngine({ fetch }),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'bad-input',
        message: expect.stringMatching(/fetch is a function, .* in a worker.*; give headers/),
      });
    }
    expect(fake.sources).toHaveLength(1);
  });

  test('a policy of one’s own is a function, and stays on the page', async () => {
    const { engine, fake } = await connect({});
    const streaming = { policy: ema() };
    for (const call of [() => engine.load('m/', { streaming }), () => engine.resize({ streaming })]) {
      await expect(call()).rejects.toMatchObject({
        code: 'bad-input',
        message: expect.stringMatching(/streaming\.policy is a function, .* in a worker/),
      });
    }
    expect(fake.sources).toEqual([]);
  });

  test('progress arrives in order and each kind at least once', async () => {
    const progress: LoadProgress[] = [
      { kind: 'planning' },
      { kind: 'downloading', doneBytes: 1, totalBytes: 2, modelBytes: 2, file: 'm' },
      { kind: 'downloading', doneBytes: 2, totalBytes: 2, modelBytes: 2, file: 'm' },
      { kind: 'compiling', donePipelines: 1, totalPipelines: 1 },
      { kind: 'ready' },
    ];
    const { engine } = await connect({ progress });
    const seen: LoadProgress[] = [];
    await engine.load('m/', { onProgress: (each) => seen.push(each) });
    expect(seen.at(-1)).toEqual({ kind: 'ready' });
    expect([...new Set(seen.map((each) => each.kind))]).toEqual([
      'planning',
      'downloading',
      'compiling',
      'ready',
    ]);
  });

  test('errors cross with code, message and cause', async () => {
    const planError = new AtomoeError('bad-file', 'model.safetensors is short; get it again', {
      cause: new RangeError('offset 9'),
    });
    const { engine } = await connect({ planError });
    const error: unknown = await engine.plan('m/').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AtomoeError);
    expect(error).toMatchObject({ code: 'bad-file', message: 'model.safetensors is short; get it again' });
    expect((error as AtomoeError).cause).toMatchObject({ message: 'RangeError: offset 9' });
  });

  test('an engine that does not open rejects with its own error and closes the worker', async () => {
    const { port1, port2 } = new MessageChannel();
    open.push(port1, port2);
    hostEngine(port2, async () => {
      throw new AtomoeError('no-webgpu', 'no adapter');
    });
    await expect(connectEngine(port1).engine).rejects.toMatchObject({ code: 'no-webgpu' });
  });

  test('a failed load that took the model before with it leaves none', async () => {
    const { engine, fake } = await connect();
    await engine.load('m/');
    expect(engine.memory().totalBytes).toBeGreaterThan(0);
    fake.model = undefined;
    await expect(engine.session().generate('')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'bad-input',
    });
    expect(engine.model).toBeUndefined();
    expect(engine.memory().totalBytes).toBe(0);
  });

  test('an abort reaches the load and rejects with the reason of the signal', async () => {
    const abort = new AbortController();
    const progress: LoadProgress[] = Array.from({ length: 50 }, () => ({ kind: 'planning' }));
    const { engine } = await connect({ progress });
    const reason = new Error('the visitor changed their mind');
    const load = engine.load('m/', { signal: abort.signal, onProgress: () => abort.abort(reason) });
    await expect(load).rejects.toBe(reason);
    expect(engine.model).toBeUndefined();
    await expect(engine.load('m/', { signal: abort.signal })).rejects.toBe(reason);
    await expect(engine.load('m/')).resolves.toMatchObject({ family: 'fake' });
  });
});

describe('what sessions hold', () => {
  test('is cloned, saved and restored at the other end', async () => {
    const { engine } = await connect();
    await engine.load('m');
    const session = engine.session();
    await collect(session.generate('Hi'));
    const clone = await session.clone();
    expect([clone.tokens, session.tokens]).toEqual([9, 9]);
    session.reset();
    const saved = await clone.save();
    expect(await session.restore(saved)).toEqual({ tokens: 9, how: 'copied' });
    expect(session.tokens).toBe(9);
    await collect(clone.generate('On'));
    expect([clone.tokens, session.tokens]).toEqual([18, 9]);
    clone.dispose();
    await expect(clone.save()).rejects.toMatchObject({ code: 'disposed' });
  });

  test('is not touched while a reply runs', async () => {
    const { engine } = await connect();
    await engine.load('m');
    const session = engine.session();
    const reply = session.generate('Hi')[Symbol.asyncIterator]();
    await reply.next();
    await expect(session.save()).rejects.toMatchObject({ code: 'busy' });
    await reply.return?.();
  });

  test('texts and ids are told across', async () => {
    const { engine } = await connect();
    await engine.load('m');
    expect(await engine.tokenize('one two')).toEqual([0, 1]);
    expect(await engine.detokenize([0, 1])).toBe('Once upon');
    expect(await engine.score('a', 'b')).toMatchObject([{ text: 'b', logprob: -1 }]);
  });
});

describe('replies', () => {
  test('a reply streams every event in order, in fewer messages than events', async () => {
    const words = Array.from({ length: 40 }, (_, index) => ` w${index}`);
    const { engine, received } = await connect({ words, beforeToken: () => Promise.resolve() });
    await engine.load('m/');
    const session = engine.session();
    const events = await collect(session.generate('Once', { routes: true }));
    expect(events).toHaveLength(42);
    expect(events.map((event) => (event.kind === 'token' ? event.text : '')).join('')).toBe(words.join(''));
    expect(events.at(-1)).toMatchObject({ kind: 'done', reason: 'stop', text: words.join('') });
    expect(session.tokens).toBe(40);
    expect(received.filter((message) => message.kind === 'events').length).toBeLessThan(10);
  });

  test('leaving the loop cancels, and the session is free when the loop is left', async () => {
    const { engine, fake } = await connect();
    await engine.load('m/');
    const session = engine.session();
    for await (const event of session.generate('Once')) if (event.kind === 'token') break;
    expect(fake.pulled).toBeLessThan(9);
    const again = await collect(session.generate('Twice'));
    expect(again.at(-1)).toMatchObject({ kind: 'done', reason: 'stop' });
  });

  test('an abort ends the reply with what was said', async () => {
    const { engine } = await connect();
    await engine.load('m/');
    const abort = new AbortController();
    const seen: GenerateEvent[] = [];
    for await (const event of engine.session().generate('Once', { signal: abort.signal })) {
      seen.push(event);
      if (event.kind === 'token') abort.abort();
    }
    expect(seen.at(-1)).toMatchObject({ kind: 'done', reason: 'abort' });
  });

  test('a second reply of a busy session is refused', async () => {
    const { passed, release } = gate();
    const { engine } = await connect({ beforeToken: () => passed });
    await engine.load('m/');
    const session = engine.session();
    const first = collect(session.generate('Once'));
    await settle();
    await expect(collect(session.generate('Twice'))).rejects.toMatchObject({ code: 'busy' });
    release();
    await expect(first).resolves.toHaveLength(11);
  });

  test('a page that does not read stops the worker from generating', async () => {
    const words = Array.from({ length: 1000 }, () => ' w');
    const { engine, fake } = await connect({ words, beforeToken: () => Promise.resolve() });
    await engine.load('m/');
    const events = engine.session().generate('Once')[Symbol.asyncIterator]();
    await events.next();
    // 64 credits: the prefill event and 63 tokens.
    await vi.waitFor(() => expect(fake.pulled).toBe(63));
    await settle();
    expect(fake.pulled).toBe(63);
    await events.return?.();
    expect(fake.pulled).toBe(63);
  });

  test('an error in mid-reply comes after the events before it', async () => {
    const error = new AtomoeError('non-finite', 'NaN in layer 3');
    const { engine } = await connect({ replyError: { afterTokens: 2, error } });
    await engine.load('m/');
    const seen: string[] = [];
    const reply = (async () => {
      for await (const event of engine.session().generate('Once')) seen.push(event.kind);
    })();
    await expect(reply).rejects.toMatchObject({ code: 'non-finite', message: 'NaN in layer 3' });
    expect(seen).toEqual(['prefill', 'token', 'token']);
  });

  test('chat completions: whole, streamed, and refused before the stream begins', async () => {
    const { engine } = await connect();
    await engine.load('m/');
    const messages = [{ role: 'user', content: 'hello' }] as const;
    const whole = await engine.chat.completions.create({ messages });
    expect(whole.choices[0]?.message.content).toBe('Once upon a time, a fox sang.');
    const chunks = await collect(await engine.chat.completions.create({ messages, stream: true }));
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content).join('')).toBe(
      'Once upon a time, a fox sang.',
    );
    await expect(engine.chat.completions.create({ messages: [], stream: true })).rejects.toMatchObject({
      code: 'bad-input',
    });
  });

  test('completions of texts: whole, streamed, and of token ids', async () => {
    const { engine, fake } = await connect();
    await engine.load('m/');
    const { choices } = await engine.completions.create({ prompt: 'Once' });
    expect(choices[0]?.text).toBe('Once upon a time, a fox sang.');
    const chunks = await collect(await engine.completions.create({ prompt: [0, 1], stream: true }));
    expect(chunks.map((chunk) => chunk.choices[0]?.text).join('')).toBe('Once upon a time, a fox sang.');
    expect(fake.prompts).toEqual(['Once', [0, 1]]);
  });
});

/** As a store wraps what it keeps: every object behind a proxy, which no message can carry. */
function reactive<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const get = (target: object, key: PropertyKey): unknown => reactive(Reflect.get(target, key));
  return new Proxy(value, { get }) as T;
}

describe('what callers give', () => {
  const messages = [{ role: 'user', content: 'hello' }] as const;

  test('proxies are read as the plain data in them', async () => {
    const { engine, fake } = await connect();
    await engine.load('m/', reactive({ streaming: { start: 'whole' as const } }));
    await collect(engine.session().generate(reactive(messages), reactive({ stop: ['#'], maxTokens: 3 })));
    await engine.chat.completions.create(reactive({ messages }));
    await collect(await engine.chat.completions.create(reactive({ messages, stream: true as const })));
    await engine.resize(reactive({ memoryBudget: 1e9 }));
    expect(fake.prompts).toEqual([messages, messages, messages]);
  });

  test('hooks and tensors cross as plain data, and traces come back', async () => {
    const { engine, fake } = await connect();
    await engine.load('m/');
    const trace = { from: 0, tokens: [{ ids: [[3, 1]], weights: [[0.75, 0.25]] }] };
    const seen: unknown[] = [];
    const open = fake.session.bind(fake);
    fake.session = () => {
      const session = open();
      const generate = session.generate.bind(session);
      session.generate = async function* (prompt, options) {
        seen.push({ hooks: options?.hooks, tensors: options?.tensors, trace: options?.trace });
        for await (const event of generate(prompt, options))
          yield event.kind === 'done' ? { ...event, trace } : event;
      };
      return session;
    };
    const tensors = { language: { shape: [1, 2], values: [0, 1] } };
    const given = { hooks: { layers: [{ mask: [2] }, null], replay: { trace } }, tensors, trace: true };
    const events = await collect(engine.session().generate('hello', reactive(given)));
    expect(seen).toEqual([given]);
    expect(events.at(-1)).toMatchObject({ kind: 'done', trace });
    const requests: unknown[] = [];
    const create = fake.chat.completions.create.bind(fake.chat.completions);
    fake.chat.completions.create = ((body: ChatCompletionRequest) => {
      requests.push(body.atomoe);
      return create(body);
    }) as typeof create;
    await engine.chat.completions.create(reactive({ messages, atomoe: given }));
    expect(requests).toEqual([given]);
    await expect(collect(engine.session().generate('a', { hooks: [] as never }))).rejects.toThrow(
      /^hooks is a list/,
    );
    const wrong = { messages, atomoe: { hook: {} } as never };
    await expect(engine.chat.completions.create(wrong)).rejects.toThrow(
      /"atomoe\.hook", did you mean "hooks"/,
    );
  });

  test('logits and a profile of a step cross', async () => {
    const { engine, fake } = await connect();
    await engine.load('m/');
    const logits = await engine.logits([1, 2], 'one-by-one');
    expect(logits).toEqual(await fake.logits([1, 2]));
    expect(logits.length).toBeGreaterThan(0);
    expect(await engine.profile()).toEqual(await fake.profile());
  });

  test('strategies from outside stay on the page', async () => {
    const { engine, received } = await connect();
    await engine.load('m/');
    const decoding = { name: 'own', async *decode() {} };
    const before = received.length;
    const refused = /^decoding\.decode is a function, and the engine runs in a worker/;
    await expect(collect(engine.session().generate('a', { decoding }))).rejects.toThrow(refused);
    await expect(engine.chat.completions.create({ messages, atomoe: { decoding } })).rejects.toThrow(refused);
    await engine.streaming();
    expect(received.slice(before).map(({ kind }) => kind)).toEqual(['result']); // that of the last question only
  });

  test('wrong options are refused here, and nothing is sent', async () => {
    const { engine, received } = await connect();
    await engine.load('m/');
    const before = received.length;
    const session = engine.session();
    const wrong = { temprature: 1 } as object;
    for (const ask of [
      () => engine.plan('m/', wrong),
      () => engine.load('m/', wrong),
      () => engine.load(5 as never),
      () => engine.resize({ ...wrong, contextTokens: 5 } as object),
      () => engine.chat.completions.create({ messages, ...wrong }),
      () =>
        engine.chat.completions.create({ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }),
      () => collect(session.generate('Once', wrong)),
      () => collect(session.generate('Once', { signal: {} as AbortSignal })),
      () => collect(session.generate(5 as never)),
    ]) {
      await expect(ask()).rejects.toMatchObject({ name: 'AtomoeError', code: 'bad-input' });
    }
    expect(received).toHaveLength(before);
  });

  test('no worker is started for wrong options, nor for an aborted signal', async () => {
    const start = vi.fn();
    vi.stubGlobal('Worker', start);
    try {
      const opening = createWorkerEngine({ modle: 'm/' } as object);
      await expect(opening).rejects.toThrow(/unknown option "modle", did you mean "model"/);
      const device = createWorkerEngine({ device: {} } as object);
      await expect(device).rejects.toThrow(
        /device is an object; wanted "auto" or "gpu" or "cpu" or "reference"/,
      );
      await expect(createWorkerEngine({ worker: {} } as object)).rejects.toThrow(/worker is an object/);
      const aborted = createWorkerEngine({ signal: AbortSignal.abort(new Error('no longer')) });
      await expect(aborted).rejects.toThrow('no longer');
      expect(start).not.toHaveBeenCalled();
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('a worker of the page’s own that does not start is named as such', async () => {
    const worker = Object.assign(new EventTarget(), { postMessage: vi.fn(), terminate: vi.fn() });
    const opening = createWorkerEngine({ worker: worker as unknown as Worker });
    worker.dispatchEvent(new Event('error'));
    await expect(opening).rejects.toThrow(
      /was given did not start: its script .*imports atomoe\/worker\. Check/,
    );
    expect(worker.terminate).toHaveBeenCalled();
  });

  test('where there are no workers, the reason is an AtomoeError', async () => {
    await expect(createWorkerEngine()).rejects.toMatchObject({ name: 'AtomoeError', code: 'bad-input' });
  });

  test('what cannot be sent is refused with a sentence', async () => {
    const { port1, port2 } = new MessageChannel();
    open.push(port1, port2);
    const post = port1.postMessage.bind(port1);
    hostEngine(port2, async () => new FakeEngine());
    const engine = await connectEngine(port1).engine;
    port1.postMessage = (message: unknown) => post([message, () => {}]);
    const planning = engine.plan('m/');
    await expect(planning).rejects.toMatchObject({ name: 'AtomoeError', code: 'bad-input' });
    await expect(planning).rejects.toThrow(/cannot be sent to the worker: DataCloneError/);
    port1.postMessage = post;
    await expect(engine.plan('m/')).resolves.toMatchObject({ family: 'fake' });
  });

  test('what is thrown without a type comes back with one', async () => {
    const { engine } = await connect({ planError: new TypeError('x is not a function') });
    await expect(engine.plan('m/')).rejects.toMatchObject({
      name: 'AtomoeError',
      code: 'internal',
      message: expect.stringMatching(/TypeError: x is not a function/),
    });
  });

  test('an onProgress that throws ends the load', async () => {
    const progress: LoadProgress[] = Array.from({ length: 50 }, () => ({ kind: 'planning' }));
    const { engine } = await connect({ progress });
    const onProgress = (): void => {
      throw new TypeError('no bar');
    };
    await expect(engine.load('m/', { onProgress })).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringMatching(/onProgress threw "no bar"/),
    });
    expect(engine.model).toBeUndefined();
    await expect(engine.load('m/')).resolves.toMatchObject({ family: 'fake' });
  });
});

describe('replies that nobody reads on', () => {
  const messages = [{ role: 'user', content: 'hello' }] as const;

  test('an aborted one ends, and its session can reply again', async () => {
    const { engine } = await connect({ words: Array.from({ length: 1000 }, () => ' w') });
    await engine.load('m/');
    const session = engine.session();
    const abort = new AbortController();
    const events = session.generate('Once', { signal: abort.signal })[Symbol.asyncIterator]();
    await events.next();
    expect(() => session.reset()).toThrow(/this session is replying/);
    abort.abort();
    await vi.waitFor(() => session.reset());
    const again = session.generate('Twice')[Symbol.asyncIterator]();
    expect(await again.next()).toMatchObject({ value: { kind: 'prefill' } });
    await again.return?.();
  });

  test('a stream of chunks begins when it is read', async () => {
    const { engine, fake, received } = await connect();
    await engine.load('m/');
    const stream = await engine.chat.completions.create({ messages, stream: true });
    const closed = await engine.chat.completions.create({ messages, stream: true });
    await closed[Symbol.asyncIterator]().return?.();
    await settle();
    expect(fake.pulled).toBe(0);
    expect(received.filter(({ kind }) => kind === 'ended')).toHaveLength(1); // the closed one is forgotten
    expect(await collect(closed)).toEqual([]);
    expect((await collect(stream)).length).toBeGreaterThan(5);
  });

  test('a stream of chunks ends by its controller', async () => {
    const { engine, received } = await connect({ words: Array.from({ length: 1000 }, () => ' w') });
    await engine.load('m/');
    const stream = await engine.chat.completions.create({ messages, stream: true });
    await stream[Symbol.asyncIterator]().next();
    stream.controller.abort();
    await vi.waitFor(() => expect(received.at(-1)?.kind).toBe('ended'));
  });
});

describe('the end', () => {
  test('dispose in mid-reply rejects the reply, disposes the engine and closes the worker once', async () => {
    const { engine, fake, closed, hostDisposed } = await connect({ beforeToken: () => settle() });
    await engine.load('m/');
    const reply = collect(engine.session().generate('Once'));
    await settle();
    engine.dispose();
    engine.dispose();
    await expect(reply).rejects.toMatchObject({ code: 'disposed' });
    await expect(engine.plan('m/')).rejects.toMatchObject({ code: 'disposed' });
    expect(() => engine.session()).toThrow(AtomoeError);
    await vi.waitFor(() => expect(closed()).toBe(1));
    expect(fake.isDisposed).toBe(true);
    expect(hostDisposed()).toBe(1);
  });

  test('the worker ends only when the disposed engine has written what it read', async () => {
    const { engine, fake, closed, received } = await connect();
    const { passed, release } = gate();
    Object.assign(fake, { closed: passed });
    engine.dispose();
    await settle();
    expect([fake.isDisposed, closed()]).toEqual([true, 0]);
    release();
    await vi.waitFor(() => expect(closed()).toBe(1));
    expect(received.at(-1)).toEqual({ kind: 'disposed' });
  });

  test('a worker that dies gives one error to every call, before and after', async () => {
    const { engine, connection } = await connect({ beforeToken: () => new Promise(() => {}) });
    await engine.load('m/');
    const reply = collect(engine.session().generate('Once'));
    await settle();
    connection.fail(new AtomoeError('device-lost', 'the worker is gone'));
    await expect(reply).rejects.toMatchObject({ code: 'device-lost' });
    await expect(engine.load('m/')).rejects.toMatchObject({ code: 'device-lost' });
    await expect(engine.lost).rejects.toMatchObject({ code: 'device-lost' });
  });

  test('a lost device in the worker is a lost engine on the page', async () => {
    const { engine, fake } = await connect();
    fake.lose(new AtomoeError('device-lost', 'the driver restarted'));
    await expect(engine.lost).rejects.toMatchObject({ code: 'device-lost', message: 'the driver restarted' });
    await expect(engine.plan('m/')).rejects.toMatchObject({ message: 'the driver restarted' });
  });
});

describe('files that stay on the page', () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, index) => index);

  function folder() {
    const disposed: string[] = [];
    const files: ModelFiles = {
      label: 'my folder',
      open: async (name) => {
        if (name === 'broken') throw new AtomoeError('bad-file', 'broken cannot be read');
        if (name !== 'a.bin') return undefined;
        return {
          name,
          sizeBytes: 100,
          read: async (offsetBytes, sizeBytes) => bytes.subarray(offsetBytes, offsetBytes + sizeBytes),
          dispose: () => disposed.push(name),
        };
      },
    };
    return { files, disposed };
  }

  test('are opened and read by range through the port', async () => {
    const { engine, fake } = await connect();
    const { files, disposed } = folder();
    await engine.plan(files);
    const seen = fake.sources[0] as ModelFiles;
    expect(seen.label).toBe('my folder');
    expect(await seen.open('b.bin')).toBeUndefined();
    await expect(seen.open('broken')).rejects.toMatchObject({ code: 'bad-file' });
    const file = await seen.open('a.bin');
    expect(file?.sizeBytes).toBe(100);
    expect(await file?.read(10, 3)).toEqual(Uint8Array.of(10, 11, 12));
    expect(bytes.byteLength).toBe(100); // the page keeps its own buffer
    file?.dispose?.();
    await vi.waitFor(() => expect(disposed).toEqual(['a.bin']));
  });

  test('what a folder throws, and what it gives wrongly, is a bad file', async () => {
    const { engine, fake } = await connect();
    await engine.plan({
      label: 'my zip',
      open: async (name) => {
        if (name === 'lost') throw new TypeError('no such entry');
        return { name, sizeBytes: name === 'odd' ? -1 : 9, read: async () => new Uint8Array(3) };
      },
    });
    const seen = fake.sources[0] as ModelFiles;
    const says = (message: RegExp) => ({ code: 'bad-file', message: expect.stringMatching(message) });
    await expect(seen.open('lost')).rejects.toMatchObject(
      says(/my zip: lost cannot be read: TypeError: no such/),
    );
    await expect(seen.open('odd')).rejects.toMatchObject(says(/my zip: odd says that it has -1 bytes/));
    const short = await seen.open('short');
    await expect(short?.read(0, 9)).rejects.toMatchObject(
      says(/asked for 9 bytes from 0 on and gave 3 bytes/),
    );
  });

  test('a read can be aborted', async () => {
    const { engine, fake } = await connect();
    let seenSignal: AbortSignal | undefined;
    await engine.plan({
      label: 'slow',
      open: async (name, options) => {
        seenSignal = options?.signal;
        return new Promise(() => name);
      },
    });
    const abort = new AbortController();
    const opening = (fake.sources[0] as ModelFiles).open('a.bin', { signal: abort.signal });
    await settle();
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(opening).rejects.toBe(reason);
    await vi.waitFor(() => expect(seenSignal?.aborted).toBe(true));
  });
});
