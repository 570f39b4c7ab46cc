/** Answers HTTP on this machine by a function like `fetch`. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { AtomoeError } from '../errors.ts';
import { errorBody, HttpError } from '../openai/http-error.ts';
import type { Fetch } from '../openai/index.ts';

/** Of a request's body: long conversations are far below it. */
const MOST_BODY_BYTES = 32 * 2 ** 20;

/** Only this machine: whoever serves others puts a server with TLS and names in front of it. */
const HOST = '127.0.0.1';
/** Names under which a page on this machine reaches it. Others are those of a site that points its own name here. */
const NAMES = [HOST, 'localhost'];

/** How a server is opened. */
export interface ServerOptions {
  readonly port: number; // 0: any free one
  readonly token?: string | undefined; // that requests have to have, as `Authorization: Bearer TOKEN`
}

/** A server that listens. */
export interface Server {
  readonly url: string; // without a slash at the end
  /** Ends all replies, and resolves when nothing is open. */
  close(): Promise<void>;
}

/** @throws {AtomoeError} bad-input - the port is taken or not allowed */
export async function openServer(answer: Fetch, { port, token }: ServerOptions): Promise<Server> {
  const server = createServer((request, response) => void reply(request, response));
  const reply = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      const own = portOf();
      checkSource(request, own);
      checkToken(request, token);
      await send(await answered(answer, request, response, `http://${HOST}:${own}`), response);
    } catch (error) {
      refuse(response, error);
    }
  };
  const portOf = () => (server.address() as AddressInfo).port;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(notOpened(port, cause)));
    server.listen(port, HOST, resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://${HOST}:${portOf()}`, close };
}

function notOpened(port: number, cause: NodeJS.ErrnoException): AtomoeError {
  const what = cause.code === 'EADDRINUSE' ? 'another program has it' : cause.message;
  return new AtomoeError(
    'bad-input',
    `port ${port} cannot be opened: ${what}; wanted a free one; choose another --port`,
    { cause },
  );
}

/**
 * Pages of other sites may send requests here from a visitor's browser: they say where they come from, or reach this
 * address by a name of their own.
 */
function checkSource({ headers }: IncomingMessage, port: number): void {
  const hosts = NAMES.map((name) => `${name}:${port}`);
  if (!hosts.includes(headers.host?.toLowerCase() ?? '')) {
    throw new HttpError(403, `the host is "${headers.host ?? ''}"; wanted ${hosts.join(' or ')}`);
  }
  const { origin } = headers;
  if (origin === undefined || hosts.some((host) => origin === `http://${host}`)) return;
  throw new HttpError(
    403,
    `pages of ${origin} may not ask; wanted a page of ${hosts.join(' or ')}, or no page`,
  );
}

function checkToken({ headers }: IncomingMessage, token: string | undefined): void {
  if (token === undefined) return;
  const given = /^Bearer (.*)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  if (timingSafeEqual(digest(given), digest(token))) return;
  const message = 'the token is missing or wrong; wanted Authorization: Bearer TOKEN, as --token has it';
  throw new HttpError(401, message, { code: 'invalid_api_key', headers: { 'www-authenticate': 'Bearer' } });
}

/** Of one length, so that a comparison takes one time. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Methods that no `Request` may have. */
const FOREIGN_METHODS = ['CONNECT', 'TRACE', 'TRACK'];

/** The answer; a client that leaves ends what it asked for. */
async function answered(
  answer: Fetch,
  request: IncomingMessage,
  response: ServerResponse,
  base: string,
): Promise<Response> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const { method = 'GET', url = '/' } = request;
  if (FOREIGN_METHODS.includes(method))
    throw new HttpError(405, `${method} is not answered; wanted GET or POST`);
  const body = method === 'GET' || method === 'HEAD' ? undefined : await readBody(request);
  if (!URL.canParse(url, base))
    throw new HttpError(400, `"${url}" is no path; wanted one such as /v1/models`);
  return answer(new URL(url, base), { method, signal: gone.signal, ...(body ? { body } : {}) });
}

/** @throws {HttpError} 413 */
async function readBody(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    sizeBytes += part.byteLength;
    if (sizeBytes > MOST_BODY_BYTES) {
      throw new HttpError(413, `the body is longer than ${MOST_BODY_BYTES} bytes; wanted a shorter one`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function send({ status, headers, body }: Response, response: ServerResponse): Promise<void> {
  response.writeHead(status, Object.fromEntries(headers));
  if (!body) return void response.end();
  await pipeline(Readable.fromWeb(body as ReadableStream), response);
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const known = error instanceof HttpError ? error : new HttpError(500, String(error));
  const { status, headers, body } = errorBody(known);
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
