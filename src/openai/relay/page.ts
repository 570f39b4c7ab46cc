/** The page's side: answers what other code of this origin asks at `/v1`. */
import type { Fetch } from '../fetch.ts';
import { QUESTION, type ToPage, type ToRelay } from './protocol.ts';

/** The part of `navigator.serviceWorker` that is used. */
export interface WorkerMessages {
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
  removeEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
  startMessages?(): void;
}

/** What a page has that a test may give. */
export interface PageWorld {
  readonly messages?: WorkerMessages;
  readonly locks?: Pick<LockManager, 'request'>;
}

/** Questions that somebody on this page answers: of several engines, one does. */
const answered = new WeakSet<MessagePort>();

/**
 * Answers requests to `/v1/...` of all pages of this origin, which a service worker with `answerV1` passes on, as long as this
 * page is open: `serveV1(openaiFetch(engine))`. Does nothing where there are no service workers.
 *
 * @returns what ends it; replies that have begun go on
 */
export function serveV1(answer: Fetch, world: PageWorld = {}): () => void {
  const { messages = globalThis.navigator?.serviceWorker as WorkerMessages | undefined } = world;
  const { locks = globalThis.navigator?.locks as LockManager | undefined } = world;
  if (!messages || !locks) return () => {};
  const lock = `atomoe-v1-${crypto.randomUUID()}`;
  // Until the page is gone, whoever waits for it waits: no event tells a worker that a page was closed.
  const held = new Promise<void>((resolve) => {
    void locks.request(lock, () => {
      resolve();
      return new Promise<never>(() => {});
    });
  });
  const listen = ({ data, ports: [port] }: MessageEvent): void => {
    if (data !== QUESTION || !port) return;
    const offer = async (): Promise<void> => {
      await held;
      if (!(await hasModel(answer)) || answered.has(port)) return;
      answered.add(port);
      port.addEventListener('message', listener(port, answer));
      port.start();
      port.postMessage({ kind: 'here', lock } satisfies ToRelay);
    };
    offer().catch(() => {}); // then another page may have one
  };
  messages.addEventListener('message', listen);
  messages.startMessages?.();
  return () => messages.removeEventListener('message', listen);
}

/** Another page may have one where this has none yet. */
async function hasModel(answer: Fetch): Promise<boolean> {
  const listed = (await (await answer('http://localhost/v1/models')).json()) as { data?: readonly unknown[] };
  return (listed.data?.length ?? 0) > 0;
}

/** What answers one request. */
function listener(port: MessagePort, answer: Fetch): (event: MessageEvent<ToPage>) => void {
  const stop = new AbortController();
  const tell = (message: ToRelay, transfer: Transferable[] = []) => port.postMessage(message, transfer);
  const fail = (error: unknown) =>
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  const begin = async ({ method, url, body }: ToPage & { kind: 'request' }): Promise<void> => {
    const init = { method, signal: stop.signal, ...(body ? { body } : {}) };
    const { status, headers, body: answered } = await answer(url, init);
    reader = answered?.getReader() as typeof reader;
    tell({ kind: 'head', status, headers: [...headers] });
  };
  const pull = async (): Promise<void> => {
    const step = await reader?.read();
    if (!step || step.done) return tell({ kind: 'end' });
    const bytes = step.value.slice(); // of its own: it is given away
    tell({ kind: 'part', bytes }, [bytes.buffer]);
  };
  const abort = async (): Promise<void> => {
    stop.abort();
    await reader?.cancel();
    port.close();
  };
  return ({ data }) => {
    const act = { request: begin, pull, abort }[data.kind] as (message: ToPage) => Promise<void>;
    act(data).catch(fail);
  };
}
