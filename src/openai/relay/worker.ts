/**
 * The service worker's side: code that asks `/v1/...` of its own origin is answered by the page that holds an engine. Goes into a
 * host's service worker, beside what keeps files and sets headers.
 */
import { errorBody, HttpError } from '../http-error.ts';
import { CLAIM, QUESTION, type ToPage, type ToRelay } from './protocol.ts';

/** The part of a service worker's clients that is used; the DOM's types have none of it. */
export interface RelayWorld {
  readonly clients: {
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly RelayClient[]>;
  };
  readonly locks: Pick<LockManager, 'request'>;
}

/** A page. */
export interface RelayClient {
  postMessage(message: unknown, transfer: Transferable[]): void;
}

/** The part of a service worker's global scope that is used; the DOM's types have none of it. */
export interface V1Scope {
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: 'activate', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'fetch', listener: (event: V1FetchEvent) => void): void;
}

/** The part of a FetchEvent that is used. */
export interface V1FetchEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

/** How long a page may take to say that it has an engine. */
const ANSWER_MS = 2000;

/**
 * All that a service worker does for `/v1`: it answers, and takes over the pages that are open when it comes, so that a first
 * visit works without a reload (see `v1Ready`). Goes beside the other listeners of a worker, before those of `fetch`. A worker
 * that changes the answers, such as by headers, takes `claimV1`, `handlesV1` and `answerV1` instead.
 *
 * @example
 * listenV1(); // in the service worker
 */
export function listenV1(scope: V1Scope = globalThis as unknown as V1Scope): void {
  claimV1(scope);
  scope.addEventListener('fetch', (event) => {
    if (handlesV1(event.request)) event.respondWith(answerV1(event.request));
  });
}

/** Takes over the pages that are open when the worker comes, and those that ask for it later (`v1Ready`). */
export function claimV1(scope: V1Scope = globalThis as unknown as V1Scope): void {
  // Not waited for: in Firefox every worker of a page answers first, and all requests wait for the activation.
  const claim = () => void scope.clients.claim();
  scope.addEventListener('activate', claim);
  scope.addEventListener('message', ({ data }) => {
    if (data === CLAIM) claim();
  });
}

/** What `openaiFetch` answers, after `/v1/`. What else a host has at that address stays its own. */
const ENDPOINT = /^(models(\/.*)?|(chat\/)?completions|embeddings)$/;

/**
 * Whether a request is for `answerV1`: code of this origin asks one of OpenAI's endpoints at `/v1/` of the origin, or of the
 * worker's folder. Navigations and forms are not: another site can send those.
 */
export function handlesV1(request: Request, scope = scopeOfThis()): boolean {
  const { origin, pathname } = new URL(request.url);
  const own = new URL(scope);
  if (origin !== own.origin || !['cors', 'same-origin'].includes(request.mode)) return false;
  const folder = ['/v1/', new URL('v1/', own).pathname].find((each) => pathname.startsWith(each));
  return folder !== undefined && ENDPOINT.test(pathname.slice(folder.length));
}

function scopeOfThis(): string {
  return (globalThis as unknown as { registration: { scope: string } }).registration.scope;
}

/**
 * Answers a request by the page of this origin that has an engine (`serveV1`), part by part. The reply ends when its reader
 * leaves. Without such a page, or when it is closed, the answer is OpenAI's error: 503, or the last event of a stream.
 *
 * @example
 * self.addEventListener('fetch', (event) => {
 *   if (handlesV1(event.request)) event.respondWith(answerV1(event.request));
 * });
 */
export async function answerV1(request: Request, world: RelayWorld = worldOfThis()): Promise<Response> {
  try {
    const body =
      request.method === 'GET' || request.method === 'HEAD' ? undefined : await request.arrayBuffer();
    const page = await findPage(world);
    return await relayed(
      page,
      { kind: 'request', method: request.method, url: request.url, body },
      request,
      world,
    );
  } catch (error) {
    const known = error instanceof HttpError ? error : new HttpError(503, String(error), { cause: error });
    const { status, headers, body } = errorBody(known);
    return Response.json(body, { status, headers });
  }
}

function worldOfThis(): RelayWorld {
  const { clients, navigator } = globalThis as unknown as RelayWorld & { navigator: { locks: LockManager } };
  return { clients, locks: navigator.locks };
}

/** A page with an engine, and the port to it. */
interface FoundPage {
  readonly port: MessagePort;
  readonly lock: string;
}

/** The first page that says that it has one. */
async function findPage({ clients }: RelayWorld): Promise<FoundPage> {
  const pages = await clients.matchAll({ type: 'window', includeUncontrolled: true });
  const ports: MessagePort[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const found = await new Promise<FoundPage | undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), ANSWER_MS);
      for (const page of pages) {
        const { port1: port, port2 } = new MessageChannel();
        ports.push(port);
        port.onmessage = ({ data }: MessageEvent<ToRelay>) => {
          if (data.kind === 'here') resolve({ port, lock: data.lock });
        };
        page.postMessage(QUESTION, [port2]);
      }
    });
    if (!found)
      throw new HttpError(503, 'no page of this site has a model; open one that loads it, then ask again');
    ports.splice(ports.indexOf(found.port), 1);
    return found;
  } finally {
    clearTimeout(timer);
    for (const port of ports) port.close();
  }
}

async function relayed(
  { port, lock }: FoundPage,
  asked: ToPage,
  { signal }: Request,
  { locks }: RelayWorld,
): Promise<Response> {
  const ended = new AbortController(); // of the watch over the page
  const inbox = new MessageInbox(port);
  const tell = (message: ToPage) => port.postMessage(message);
  const end = () => {
    ended.abort();
    port.close();
  };
  const abort = () => {
    tell({ kind: 'abort' });
    ended.abort(); // the page closes the port
    inbox.fail(signal.reason ?? new DOMException('nobody reads the answer', 'AbortError'));
  };
  locks.request(lock, { signal: ended.signal }, () => inbox.fail(pageGone())).catch(() => {});
  if (signal.aborted) {
    end();
    throw signal.reason;
  }
  signal.addEventListener('abort', abort, { once: true });
  tell(asked);
  const head = await inbox.next().catch((error: unknown) => {
    end();
    throw error;
  });
  if (head.kind !== 'head') {
    end();
    throw new HttpError(
      503,
      head.kind === 'failed' ? head.message : 'the page with the model gave no answer',
    );
  }
  const body = bodyOf(head, { inbox, tell, end, abort });
  return new Response(body, { status: head.status, headers: head.headers.map(([...pair]) => pair) });
}

/** What a reply is read through. */
interface Relay {
  readonly inbox: MessageInbox;
  readonly tell: (message: ToPage) => void;
  readonly end: () => void;
  readonly abort: () => void;
}

/** A part is made when somebody reads it. */
function bodyOf(
  { headers }: ToRelay & { kind: 'head' },
  { inbox, tell, end, abort }: Relay,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const isStream = headers.some(
    ([name, value]) => name === 'content-type' && value.startsWith('text/event-stream'),
  );
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        try {
          tell({ kind: 'pull' });
          const part = await inbox.next();
          if (part.kind === 'part') return controller.enqueue(part.bytes);
          if (part.kind === 'failed') throw new HttpError(503, part.message);
        } catch (error) {
          // The status was sent: a stream says it in an event, and anything else breaks off.
          if (!isStream) controller.error(error);
          else controller.enqueue(lastEvent(error));
          end();
          if (isStream) controller.close();
          return;
        }
        end();
        controller.close();
      },
      cancel: abort,
    },
    { highWaterMark: 0 }, // a part is made when somebody reads it
  );
}

function lastEvent(error: unknown): Uint8Array<ArrayBuffer> {
  const known = error instanceof HttpError ? error : new HttpError(503, String(error));
  return new TextEncoder().encode(`data: ${JSON.stringify(errorBody(known).body)}\n\n`);
}

function pageGone(): HttpError {
  const message = 'the page with the model was closed; wanted it open; open it again, then ask again';
  return new HttpError(503, message, { code: 'disposed' });
}

/** Messages of a port, one after the other, until one error ends them. */
class MessageInbox {
  readonly #messages: ToRelay[] = [];
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(port: MessagePort) {
    port.onmessage = ({ data }: MessageEvent<ToRelay>) => {
      this.#messages.push(data);
      this.#wake?.();
    };
  }

  fail(error: unknown): void {
    this.#error ??= error;
    this.#wake?.();
  }

  async next(): Promise<ToRelay> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) return message;
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
