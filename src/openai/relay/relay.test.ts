/** A service worker without one: pages, ports and locks of Node. `e2e/service-worker.spec.ts` has them in Chromium. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Fetch } from '../fetch.ts';
import { serveV1, type WorkerMessages } from './page.ts';
import { v1Ready, type WorkerContainer } from './ready.ts';
import { answerV1, handlesV1, listenV1, type RelayClient, type RelayWorld, type V1Scope } from './worker.ts';

afterEach(() => vi.useRealTimers());

/** An origin: pages, whose locks go when they are closed. */
function site() {
  const pages = new Set<RelayClient>();
  const held = new Map<string, { readonly gone: Promise<void>; readonly close: () => void }>();
  const locks = {
    request: async (name: string, ...rest: unknown[]) => {
      const act = rest.at(-1) as () => unknown;
      const mine = held.get(name);
      if (!mine) {
        let close = () => {};
        const gone = new Promise<void>((resolve) => (close = resolve));
        held.set(name, { gone, close });
        return act();
      }
      await mine.gone;
      const { signal } = rest[0] as { signal: AbortSignal };
      return signal.aborted ? undefined : act();
    },
  } as unknown as LockManager;
  const world: RelayWorld = { clients: { matchAll: async () => [...pages] }, locks };
  const open = (answer?: Fetch, hasModel = true) => {
    let listen: ((event: MessageEvent) => void) | undefined;
    const messages: WorkerMessages = {
      addEventListener: (_, listener) => (listen = listener),
      removeEventListener: () => (listen = undefined),
    };
    const page: RelayClient = {
      postMessage: (data, ports) => listen?.({ data, ports } as unknown as MessageEvent),
    };
    pages.add(page);
    const listing: Fetch = async (...request) =>
      String(request[0]).endsWith('/models')
        ? Response.json({ data: hasModel ? [{}] : [] })
        : answer!(...request);
    const stop = answer ? serveV1(listing, { messages, locks }) : () => {};
    const close = () => {
      pages.delete(page);
      for (const lock of held.values()) lock.close();
    };
    return { stop, close };
  };
  const ask = (path = 'v1/chat/completions', init: RequestInit = { method: 'POST', body: '{"a":1}' }) =>
    answerV1(new Request(`https://site.test/${path}`, init), world);
  return { open, ask };
}

/** Parts that come when they are read. */
function partsOf(count: number, onPull: (part: number) => void = () => {}, onCancel = () => {}): Response {
  let part = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        onPull(++part);
        controller.enqueue(new TextEncoder().encode(`data: ${part}\n\n`));
        if (part === count) controller.close();
      },
      cancel: onCancel,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

test('a request is answered by the page that has an engine, wherever it is', async () => {
  const { open, ask } = site();
  open();
  open(async (url, init) =>
    Response.json({ url: String(url), body: await new Response(init?.body).text() }, { status: 201 }),
  );
  open(() => Promise.reject(new Error('no model here')), false);
  const response = await ask();
  expect(response.status).toBe(201);
  expect(response.headers.get('content-type')).toMatch(/json/);
  expect(await response.json()).toEqual({ url: 'https://site.test/v1/chat/completions', body: '{"a":1}' });
  expect(await (await ask('v1/models', {})).json()).toEqual({ data: [{}] });
});

describe('without a page that has one', () => {
  test.each([
    ['no page', 0],
    ['other pages', 2],
  ])('%s: 503 in OpenAI\u2019s shape', async (_, count) => {
    vi.useFakeTimers();
    const { open, ask } = site();
    for (let page = 0; page < count; page++) open();
    const asked = ask();
    await vi.advanceTimersByTimeAsync(2000);
    const response = await asked;
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      error: {
        message: expect.stringMatching(/^no page of this site has a model; open one/),
        type: 'server_error',
        param: null,
        code: null,
      },
    });
  });

  test('which has stopped to serve', async () => {
    vi.useFakeTimers();
    const { open, ask } = site();
    open(async () => Response.json({})).stop();
    const asked = ask();
    await vi.advanceTimersByTimeAsync(2000);
    expect((await asked).status).toBe(503);
  });
});

describe('a stream', () => {
  test('comes part by part, each when it is read', async () => {
    const { open, ask } = site();
    const made: number[] = [];
    open(async () => partsOf(3, (part) => made.push(part)));
    const reader = (await ask()).body!.getReader();
    await reader.read();
    expect(made).toEqual([1]);
    const rest: string[] = [];
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      rest.push(new TextDecoder().decode(step.value));
    }
    expect(rest).toEqual(['data: 2\n\n', 'data: 3\n\n']);
  });

  test.each(['reader', 'signal'])('ends at the page when it is left by its %s', async (how) => {
    const { open, ask } = site();
    const cancelled = vi.fn();
    let signal: AbortSignal | null | undefined;
    open(async (_, init) => {
      signal = init?.signal;
      return partsOf(99, undefined, cancelled);
    });
    const stop = new AbortController();
    const response = await ask(undefined, { method: 'POST', body: '{}', signal: stop.signal });
    const reader = response.body!.getReader();
    await reader.read();
    if (how === 'reader') await reader.cancel();
    else stop.abort();
    await vi.waitFor(() => expect(cancelled).toHaveBeenCalled());
    expect(signal?.aborted).toBe(true);
  });

  test('whose page is closed ends with an error', async () => {
    const { open, ask } = site();
    const waiting = new ReadableStream({ pull: () => new Promise<void>(() => {}) });
    const headers = { 'content-type': 'text/event-stream' };
    const page = open(async () => new Response(waiting, { headers }));
    const told = (await ask()).text();
    await new Promise((resolve) => setTimeout(resolve, 50));
    page.close();
    const { error } = JSON.parse((await told).slice('data: '.length)) as { error: object };
    expect(error).toMatchObject({
      type: 'server_error',
      code: 'disposed',
      message: expect.stringMatching(/was closed/),
    });
  });
});

test('a page that is closed before it answers is 503, and one that fails says why', async () => {
  const { open, ask } = site();
  const page = open(() => new Promise<never>(() => {}));
  const asked = ask();
  await new Promise((resolve) => setTimeout(resolve, 50));
  page.close();
  expect((await asked).status).toBe(503);
  const other = site();
  other.open(() => Promise.reject(new Error('the engine failed')));
  expect(await (await other.ask()).json()).toMatchObject({ error: { message: 'the engine failed' } });
});

test('only /v1 of this origin is answered', () => {
  const handles = (url: string) => handlesV1(new Request(url), 'https://site.test/demo/');
  for (const path of ['v1/models', 'demo/v1/chat/completions']) {
    expect(handles(`https://site.test/${path}`), path).toBe(true);
  }
  for (const url of [
    'https://site.test/v1',
    'https://site.test/v1/users', // the host's own
    'https://site.test/a/v1/models',
    'https://else.test/v1/models',
  ]) {
    expect(handles(url), url).toBe(false);
  }
  // Another site can send a form here, and let a page of it be opened.
  for (const mode of ['navigate', 'no-cors']) {
    const request = { url: 'https://site.test/v1/chat/completions', mode } as Request;
    expect(handlesV1(request, 'https://site.test/demo/'), mode).toBe(false);
  }
});

test('of two engines of a page one answers, and the one that has a model', async () => {
  const listeners = new Set<(event: MessageEvent) => void>();
  const messages: WorkerMessages = {
    addEventListener: (_, listener) => listeners.add(listener),
    removeEventListener: (_, listener) => listeners.delete(listener),
  };
  const locks = { request: async (_: string, act: () => unknown) => act() } as unknown as LockManager;
  const page: RelayClient = {
    postMessage: (data, ports) =>
      listeners.forEach((listener) => listener({ data, ports } as unknown as MessageEvent)),
  };
  const asked: string[] = [];
  const serve = (name: string, hasModel: boolean) =>
    serveV1(
      async (url) => {
        if (String(url).endsWith('/models')) return Response.json({ data: hasModel ? [{}] : [] });
        asked.push(name);
        return Response.json({ name });
      },
      { messages, locks },
    );
  serve('gone', false);
  serve('first', true);
  serve('second', true);
  const never = { request: () => new Promise(() => {}) } as unknown as LockManager;
  const world: RelayWorld = { clients: { matchAll: async () => [page] }, locks: never };
  const request = new Request('https://site.test/v1/chat/completions', { method: 'POST', body: '{}' });
  expect(await (await answerV1(request, world)).json()).toEqual({ name: asked[0] });
  expect(asked).toHaveLength(1);
  expect(asked).not.toContain('gone');
});

test('an abort before the page answers ends the wait, at once or later', async () => {
  const { open, ask } = site();
  let signal: AbortSignal | null | undefined;
  open((_, init) => {
    signal = init?.signal;
    return new Promise<never>(() => {});
  });
  const stop = new AbortController();
  const asked = ask(undefined, { method: 'POST', body: '{}', signal: stop.signal });
  await vi.waitFor(() => expect(signal).toBeDefined());
  stop.abort();
  expect((await asked).ok).toBe(false);
  await vi.waitFor(() => expect(signal?.aborted).toBe(true));
  signal = undefined;
  expect((await ask(undefined, { method: 'POST', body: '{}', signal: AbortSignal.abort() })).ok).toBe(false);
  expect(signal).toBeUndefined();
});

describe('a page that is about to ask', () => {
  /** A worker that comes, and takes the page over when it is asked, or not. */
  function containerOf({ claims = true, fails = false, isRegistered = true } = {}) {
    const container = new EventTarget() as EventTarget & { controller: ServiceWorker | null };
    container.controller = null;
    const worker = new EventTarget() as EventTarget & { state: string };
    const asked: unknown[] = [];
    const registration = { active: null as object | null, waiting: null, installing: worker };
    Object.assign(worker, {
      state: 'installing',
      postMessage(message: unknown) {
        asked.push(message);
        if (!claims) return;
        container.controller = worker as unknown as ServiceWorker;
        setTimeout(() => container.dispatchEvent(new Event('controllerchange')));
      },
    });
    setTimeout(() => {
      worker.state = fails ? 'redundant' : 'activating';
      if (!fails) registration.active = worker;
      worker.dispatchEvent(new Event('statechange'));
    });
    const getRegistration = async () => (isRegistered ? registration : undefined);
    return { container: Object.assign(container, { getRegistration }) as unknown as WorkerContainer, asked };
  }

  test('waits until the worker has taken it over, and asks it to', async () => {
    const { container, asked } = containerOf();
    await v1Ready(container);
    expect(container.controller).not.toBeNull();
    await v1Ready(container);
    expect(asked).toHaveLength(1);
    const claim = vi.fn(async () => {});
    const scope = new EventTarget();
    listenV1(Object.assign(scope, { clients: { claim } }) as unknown as V1Scope);
    scope.dispatchEvent(new MessageEvent('message', { data: 'another' }));
    expect(claim).not.toHaveBeenCalled();
    scope.dispatchEvent(new MessageEvent('message', { data: asked[0] }));
    scope.dispatchEvent(new Event('activate'));
    expect(claim).toHaveBeenCalledTimes(2);
  });

  test.each<[string, Parameters<typeof containerOf>[0], RegExp]>([
    ['is not registered', { isRegistered: false }, /no service worker is registered for this page/],
    ['does not install', { fails: true }, /the service worker did not install/],
    ['does not claim it', { claims: false }, /does not claim this page.*clients\.claim\(\)/],
  ])('is told where the worker %s', async (_, options, message) => {
    vi.useFakeTimers();
    const failed = expect(v1Ready(containerOf(options).container)).rejects.toMatchObject({
      code: 'bad-input',
      message: expect.stringMatching(message),
    });
    await vi.advanceTimersByTimeAsync(11_000);
    await failed;
  });

  test('is told where there are no workers', async () => {
    await expect(v1Ready()).rejects.toThrow(/this page has no service workers.*https/);
  });
});
