/** A real HTTP server for tests: good by itself, and as bad as `answer` makes it. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A local server of files that counts its requests. */
export interface Host extends AsyncDisposable {
  readonly url: string; // of the folder, with its last slash
  readonly log: { readonly name: string; readonly range: string | undefined; readonly method: string }[];
  /** Bytes of bodies that were handed to the network, by file name. */
  readonly sentBytes: Map<string, number>;
}

/** A request as a test answers it. */
export interface Served {
  readonly name: string;
  readonly bytes: Uint8Array | undefined; // undefined: there is no such file
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
}

/** @returns false where the good server is to answer */
export type Answer = (served: Served) => boolean | void;

/** Serves files; `answer` may answer in another way and then returns true. */
export async function host(
  files: Readonly<Record<string, Uint8Array | string>>,
  answer: Answer = () => false,
): Promise<Host> {
  const log: Host['log'] = [];
  const sentBytes = new Map<string, number>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    const name = decodeURIComponent(url.pathname.slice('/model/'.length));
    const { range } = request.headers;
    log.push({ name, range, method: request.method ?? '' });
    const write = response.write.bind(response) as (chunk: Uint8Array) => boolean;
    const count = (chunk: unknown) => {
      const bytes = chunk instanceof Uint8Array ? chunk.byteLength : 0;
      sentBytes.set(name, (sentBytes.get(name) ?? 0) + bytes);
    };
    response.write = (chunk: Uint8Array) => {
      count(chunk);
      return write(chunk);
    };
    const found = files[name];
    const bytes = typeof found === 'string' ? new TextEncoder().encode(found) : found;
    if (answer({ name, bytes, request, response, url }) !== false) return;
    if (!bytes) return void response.writeHead(404).end();
    count(bytes);
    sendRange(response, bytes, range);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/model/`,
    log,
    sentBytes,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a good server sends. */
export function sendRange(
  response: ServerResponse,
  bytes: Uint8Array,
  range: string | undefined,
  headers: Record<string, string> = { etag: '"1"' },
): void {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  if (first === undefined) {
    return void response.writeHead(200, { 'content-length': bytes.byteLength, ...headers }).end(bytes);
  }
  const begin = Number(first);
  const end = Math.min(Number(last) + 1, bytes.byteLength);
  const part = bytes.subarray(begin, end);
  const contentRange = `bytes ${begin}-${end - 1}/${bytes.byteLength}`;
  response
    .writeHead(206, { 'content-range': contentRange, 'content-length': part.byteLength, ...headers })
    .end(part);
}

/** Sends a body while somebody listens. Who has enough can say so between two chunks. */
export async function pour(response: ServerResponse, chunks: Iterable<Uint8Array>): Promise<void> {
  for (const chunk of chunks) {
    if (response.destroyed) return;
    if (!response.write(chunk)) {
      const waiting = new AbortController();
      const events = ['drain', 'close'].map((name) => once(response, name, { signal: waiting.signal }));
      for (const event of events) event.catch(() => {}); // the one that did not come
      await Promise.race(events);
      waiting.abort();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  response.end();
}
