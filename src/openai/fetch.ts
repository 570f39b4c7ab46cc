/** A `fetch` that an engine answers: what speaks OpenAI's HTTP API gets its replies from the model that is loaded here. */
import { assertEngine, type AnsweringEngine } from '../engine/answering.ts';
import type { RemoteEngine } from './remote/index.ts';
import { httpErrorOf } from './errors.ts';
import { errorBody, HttpError } from './http-error.ts';
import { eventStream } from './event-stream.ts';

/** The type of a `fetch` function, as clients take one. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** What is asked of an engine, here or elsewhere. */
interface Answering {
  readonly model: { readonly label: string } | undefined;
  readonly chat: { readonly completions: { create: Create } };
  readonly completions: { create: Create };
}

type Create = (body: object, options: { signal: AbortSignal }) => Promise<Answer | AnswerStream>;
type AnswerStream = AsyncIterable<object> & Ran & { readonly controller: AbortController };
type Answer = Ran & { readonly choices: unknown };

interface Ran {
  readonly ranOn?: 'device' | 'remote'; // absent: an engine without another server behind it
}

interface Route {
  readonly method: 'GET' | 'POST';
  readonly answer: (engine: Answering, request: Request) => Promise<Response> | Response;
}

/** By what follows `/v1/` in the path. */
const ROUTES: Readonly<Record<string, Route>> = {
  models: { method: 'GET', answer: listModels },
  'chat/completions': { method: 'POST', answer: completeChat },
  completions: { method: 'POST', answer: completeText },
  embeddings: { method: 'POST', answer: refuseEmbeddings },
};

/**
 * Makes a `fetch` for `/v1/models`, `/v1/models/{model}`, `/v1/chat/completions` and `/v1/completions`, at any host and below any
 * path; `/v1/embeddings` says that there are none. Nothing is sent anywhere: `new OpenAI({ fetch: openaiFetch(engine), baseURL: 'http://localhost/v1', apiKey: 'none' })`.
 *
 * Errors are responses in OpenAI's shape, with the message and the code of the `AtomoeError`. A reply that is streamed
 * ends when its body is cancelled; `model` in a request may be any name, because one model is loaded at a time.
 *
 * @throws {AtomoeError} bad-input - no engine
 * @returns a function that rejects only with the reason of the request's signal
 */
export function openaiFetch(given: AnsweringEngine | RemoteEngine): Fetch {
  assertEngine(given as AnsweringEngine, 'openaiFetch');
  const engine = given as Answering;
  return async (input, init) => {
    const request = new Request(input, init);
    try {
      const response = await answer(engine, request);
      request.signal.throwIfAborted();
      return response;
    } catch (error) {
      request.signal.throwIfAborted();
      const { status, headers, body } = errorBody(httpErrorOf(error));
      return Response.json(body, { status, headers });
    }
  };
}

async function answer(engine: Answering, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const path = /\/v1\/(.+?)\/?$/.exec(pathname)?.[1] ?? '';
  const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : modelRoute(path);
  if (!route) {
    throw new HttpError(
      404,
      `there is nothing at ${pathname}; wanted /v1/${Object.keys(ROUTES).join(', /v1/')}`,
    );
  }
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method !== route.method) {
    const headers = { allow: route.method };
    throw new HttpError(405, `${pathname} takes ${route.method}, not ${request.method}`, { headers });
  }
  return route.answer(engine, request);
}

/** `models/{model}`: a name may have slashes, as they are or escaped. */
function modelRoute(path: string): Route | undefined {
  const name = /^models\/(.+)$/.exec(path)?.[1];
  if (name === undefined) return undefined;
  return { method: 'GET', answer: (engine) => Response.json(findModel(engine, unescaped(name))) };
}

/** What is not escaped well is no name of a model, and is looked for as it is. */
function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** OpenAI's record of a model. */
interface ModelRecord {
  readonly id: string;
  readonly object: 'model';
  readonly created: number; // seconds since 1970; 0: not known
  readonly owned_by: string;
}

function modelsOf({ model }: Answering): ModelRecord[] {
  return model ? [{ id: model.label, object: 'model', created: 0, owned_by: 'atomoe' }] : [];
}

function listModels(engine: Answering): Response {
  return Response.json({ object: 'list', data: modelsOf(engine) });
}

function findModel(engine: Answering, name: string): ModelRecord {
  const models = modelsOf(engine);
  const found = models.find(({ id }) => id === name);
  if (found) return found;
  const known = models[0] ? `"${models[0].id}" is` : 'none is';
  throw new HttpError(404, `the model "${name}" is not loaded; ${known}`, { code: 'model_not_found' });
}

async function completeChat(engine: Answering, request: Request): Promise<Response> {
  const body = await readBody(engine, request);
  return respond(await engine.chat.completions.create(body, { signal: request.signal }));
}

async function completeText(engine: Answering, request: Request): Promise<Response> {
  const body = await readBody(engine, request);
  return respond(await engine.completions.create(body, { signal: request.signal }));
}

/** Another server's answers say so in a header, too. */
function respond(reply: Answer | AnswerStream): Promise<Response> | Response {
  const headers: Record<string, string> = reply.ranOn ? { 'x-atomoe-ran-on': reply.ranOn } : {};
  return 'choices' in reply ? Response.json(reply, { headers }) : streamResponse(reply, headers);
}

/**
 * No family that loads is trained to embed, as files with `modules.json` or `pooling_type` say of themselves: pooled hidden
 * states of a model that predicts tokens are no substitute, and nothing would show that they are none.
 */
function refuseEmbeddings({ model }: Answering): never {
  const what = model
    ? `the model "${model.label}" predicts tokens`
    : 'every model that loads predicts tokens';
  throw new HttpError(
    400,
    `${what} and was not trained to embed texts; wanted a model for embeddings, which this engine does not run; ` +
      'ask another server for embeddings',
    { code: 'unsupported-model' },
  );
}

/** @throws {HttpError} 503 - no model; 400 - no JSON object: what is in it, the engine checks */
async function readBody(engine: Answering, request: Request): Promise<object> {
  if (!engine.model) throw new HttpError(503, 'no model is loaded; load one, then ask again');
  const text = await request.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new HttpError(400, 'the body is no JSON; wanted the object of a request', { cause });
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw new HttpError(400, 'the body is no object; wanted the object of a request');
}

/** Begins the reply, so that what is wrong with it is the status, as where it is not streamed. */
async function streamResponse(
  chunks: AnswerStream,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const reader = chunks[Symbol.asyncIterator]();
  const first = await reader.next();
  const events = eventStream(first, reader, chunks.controller);
  const type = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
  return new Response(events, { headers: { ...type, ...headers } });
}
