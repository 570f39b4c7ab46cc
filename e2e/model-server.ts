/** A real server of model folders, with every trouble that a line or a host can make, and a count of what it sent. */
import { open, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, posix } from 'node:path';

export type Fault =
  | 'cut' // the connection drops in the middle of the body
  | 'error' // 503
  | 'busy' // 429 with Retry-After
  | 'short' // fewer bytes than were asked for and announced by Content-Range
  | 'long' // more bytes than were asked for
  | 'garbage' // as many bytes as wanted, and wrong ones
  | 'whole' // 200 and the whole file, whatever range was asked for
  | 'no-cors' // without the header that lets another origin read
  | 'silent' // never an answer
  | 'changed'; // another ETag: the file is not what it was

export interface Sent {
  readonly file: string;
  readonly begin: number;
  bytes: number; // of the body
}

interface Trouble {
  readonly fault: Fault;
  times: number; // requests that still meet it
  after: number; // requests that still pass before
  readonly file: RegExp;
}

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'range',
  'access-control-expose-headers': 'content-range, content-length, etag',
};

export class ModelServer {
  readonly #mounts: Readonly<Record<string, string>>;
  readonly #sent: Sent[] = [];
  #server: Server | undefined;
  #port = 0;
  #troubles: Trouble[] = [];
  /** Bodies are sent no faster than this. */
  bytesPerSecond = Infinity;
  /** Every answer begins so much later. */
  delayMs = 0;
  /** Requests that met a fault. */
  faults = 0;
  /** The most requests that were answered at the same time. */
  mostAtATime = 0;
  #atATime = 0;

  private constructor(mounts: Readonly<Record<string, string>>) {
    this.#mounts = mounts;
  }

  /** @param mounts - folders by the first part of their URLs, such as `/model/` */
  static async open(mounts: Readonly<Record<string, string>>): Promise<ModelServer> {
    const server = new ModelServer(mounts);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, on the same port as before. */
  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.#atATime += 1;
      this.mostAtATime = Math.max(this.mostAtATime, this.#atATime);
      response.on('close', () => (this.#atATime -= 1));
      this.#answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((listening, failed) => {
      server.once('error', failed);
      server.listen(this.#port, '127.0.0.1', listening);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Is gone: connections end, and new ones are refused. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    await new Promise<void>((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
  }

  /** Of the requests for such files some pass, and then so many meet a fault. */
  break(
    fault: Fault,
    { times = Infinity, after = 0, file = /./ }: Partial<Omit<Trouble, 'fault'>> = {},
  ): void {
    this.#troubles.push({ fault, times, after, file });
  }

  /** All is well again. */
  async mend(): Promise<void> {
    this.#troubles = [];
    this.bytesPerSecond = Infinity;
    this.#server?.closeAllConnections(); // whoever still waits for an answer may ask again
    if (!this.#server) await this.start();
  }

  /** What was sent since this was asked last. */
  takeSent(): Sent[] {
    return this.#sent.splice(0);
  }

  #meet(file: string): Fault | undefined {
    const meant = this.#troubles.filter((one) => one.file.test(file));
    const trouble = meant.find(({ times, after }) => times > 0 && after <= 0);
    for (const one of meant) one.after -= 1;
    if (!trouble) return undefined;
    trouble.times -= 1;
    this.faults += 1;
    return trouble.fault;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method === 'OPTIONS') return void response.writeHead(204, CORS).end();
    if (this.delayMs > 0) await pause(this.delayMs);
    const fault = this.#meet(pathname);
    const cors = fault === 'no-cors' ? {} : CORS;
    if (fault === 'silent') return;
    if (fault === 'error') return void response.writeHead(503, cors).end();
    if (fault === 'busy') return void response.writeHead(429, { ...cors, 'retry-after': '1' }).end();

    const [prefix, folder] = Object.entries(this.#mounts).find(([start]) => pathname.startsWith(start)) ?? [];
    const name = decodeURIComponent(pathname.slice(prefix?.length ?? 0)) || 'index.html';
    const path = folder === undefined ? '' : join(folder, posix.normalize(name));
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) return void response.writeHead(404, cors).end();

    const etag = fault === 'changed' ? '"2"' : '"1"';
    // A cache that has a part of another version wants the whole of this one.
    const isOther = (request.headers['if-range'] ?? etag) !== etag;
    const isWhole = fault === 'whole' || isOther;
    const range = isWhole ? undefined : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const begin = range ? Number(range[1]) : 0;
    const end = Math.min(range ? Number(range[2]) + 1 : found.size, found.size);
    const headers = {
      ...cors,
      'content-type': TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
      etag,
      'accept-ranges': 'bytes',
      'cache-control': 'public, max-age=3600', // as hosts of models say
    };
    if (begin >= end) {
      return void response.writeHead(416, { ...headers, 'content-range': `bytes */${found.size}` }).end();
    }
    const body = await readRange(path, begin, end);
    if (fault === 'garbage') for (const at of body.keys()) body[at] = (body[at] ?? 0) ^ 0x15;
    const announced =
      fault === 'short' ? Math.max(1, body.length >> 1) : body.length + (fault === 'long' ? 9 : 0);
    response.writeHead(range ? 206 : 200, {
      ...headers,
      'content-length': announced,
      ...(range ? { 'content-range': `bytes ${begin}-${end - 1}/${found.size}` } : {}),
    });
    if (request.method === 'HEAD') return void response.end();
    const entry: Sent = { file: pathname, begin, bytes: 0 };
    this.#sent.push(entry);
    const padded = fault === 'long' ? Buffer.concat([body, Buffer.alloc(9)]) : body.subarray(0, announced);
    const until = fault === 'cut' ? padded.length >> 1 : padded.length;
    await this.#send(response, padded.subarray(0, until), entry);
    if (fault !== 'cut') return void response.end();
    await pause(20); // so that what was written is on its way
    response.destroy();
  }

  async #send(response: ServerResponse, body: Buffer, entry: Sent): Promise<void> {
    const step = Number.isFinite(this.bytesPerSecond) ? Math.max(1, this.bytesPerSecond / 20) : body.length;
    for (let at = 0; at < body.length && !response.destroyed; at += step) {
      const part = body.subarray(at, at + step);
      response.write(part);
      entry.bytes += part.length;
      if (part.length < body.length) await pause(50);
    }
  }
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  json: 'application/json',
};

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function readRange(path: string, begin: number, end: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(end - begin), 0, end - begin, begin);
    return buffer;
  } finally {
    await file.close();
  }
}
