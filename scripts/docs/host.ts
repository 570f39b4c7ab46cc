/** The hosts that documents speak of, played by one server on this machine: `https://your.host/` and the hub. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { root } from './blocks.ts';

/** Addresses in documents that are played. */
const PLAYED = /^https:\/\/(your\.host|huggingface\.co)(?=\/)/;

const MODELS = ['demo/public/models', 'fixtures/models', 'fixtures/gguf'];

/** A model whose template has places for thoughts and tools: that of the demo with the template of Qwen3. */
const CHAT_MODEL = 'chat-moe';

export interface Host {
  readonly url: string;
  /** A `fetch` to which the played hosts answer. */
  readonly fetch: typeof fetch;
  close(): Promise<void>;
}

/** The bytes behind a path; undefined: nothing. */
function fileAt(path: string): Uint8Array | undefined {
  const [, name = '', file = ''] =
    /^\/(?:models|org)\/([^/]+)(?:\/resolve\/main)?(?:\/(.+))?$/.exec(path) ?? [];
  if (path.startsWith('/api/models/org/name/')) return hubAnswer();
  const folder = name === CHAT_MODEL || name === 'name' ? 'fable-moe-12m' : name;
  const found = MODELS.map((each) => join(root, each, folder, file)).find((each) =>
    statSync(each, { throwIfNoEntry: false })?.isFile(),
  );
  if (found === undefined) return undefined;
  const bytes = readFileSync(found);
  const more = name === CHAT_MODEL ? chatFile(file) : undefined;
  if (!more) return bytes;
  const config = JSON.parse(new TextDecoder().decode(bytes)) as object;
  return new TextEncoder().encode(JSON.stringify({ ...config, ...more }));
}

/** What the chat model has in the place of the demo's: a template, and a context that holds its words about tools. */
function chatFile(name: string): object | undefined {
  if (name === 'config.json') return { max_position_embeddings: 2048 };
  if (name !== 'tokenizer_config.json') return undefined;
  const template = readFileSync(join(root, 'fixtures/templates/Qwen-Qwen3-0.6B.jinja'), 'utf8');
  return { chat_template: template, model_max_length: 2048 };
}

/** What the hub says of `org/name`. */
function hubAnswer(): Uint8Array {
  const folder = join(root, 'demo/public/models/fable-moe-12m');
  const siblings = readdirSync(folder).map((name) => ({
    rfilename: name,
    size: statSync(join(folder, name)).size,
  }));
  return new TextEncoder().encode(JSON.stringify({ siblings, cardData: { license: 'mit' } }));
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const bytes = fileAt(new URL(request.url ?? '/', 'http://localhost').pathname);
  if (!bytes) return void response.writeHead(404).end();
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined) return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  const end = to ? Math.min(Number(to) + 1, bytes.length) : bytes.length;
  const part = bytes.subarray(Number(from), end);
  const range = `bytes ${from}-${end - 1}/${bytes.length}`;
  response.writeHead(206, { 'content-length': part.length, 'content-range': range }).end(part);
}

export async function playHosts(): Promise<Host> {
  const server = createServer(answer);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const real = globalThis.fetch;
  const close = () =>
    new Promise<void>((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
  return {
    url,
    close,
    fetch: (input, init) =>
      typeof input === 'string' ? real(input.replace(PLAYED, url), init) : real(input, init),
  };
}
