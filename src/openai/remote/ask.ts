/** Asks another server. Loaded with the first reply that it gives. */
import { AtomoeError } from '../../errors.ts';
import { DONE, readEvents } from './events.ts';
import { post, textOf, unreachable, withoutKey, type RemoteServer } from './request.ts';

/** A request as it is sent. */
export interface RemoteRequest {
  readonly checked: Record<string, unknown>;
  readonly choices: number; // that it asks for
  readonly signal: AbortSignal | undefined;
}

/** What the engine would refuse is refused, and nothing that only it can do is asked elsewhere. */
export async function readBody(path: string, body: unknown, options: unknown): Promise<RemoteRequest> {
  const asked = path === 'completions' ? await readText(body, options) : await readChat(body, options);
  const { atomoe, signal: _, ...checked } = body as Record<string, unknown>;
  if (typeof atomoe === 'object' && atomoe !== null && Object.keys(atomoe).length > 0) {
    throw new AtomoeError(
      'bad-input',
      'atomoe asks for hooks, traces or a strategy, and the reply comes from another server; wanted a request without it; ' +
        'leave it out, or load the model here',
    );
  }
  return { checked, ...asked };
}

async function readText(body: unknown, given: unknown) {
  const { readTextRequest } = await import('../../engine/talk/text-completions-request.ts');
  const { prompts, count, options } = readTextRequest(body, given);
  return { choices: prompts.length * count, signal: options.signal };
}

async function readChat(given: unknown, options: unknown) {
  const { readChatBody } = await import('../../engine/talk/completions-request.ts');
  const { body, signal } = readChatBody(given, options);
  return { choices: body.n ?? 1, signal };
}

/** The answer, or a stream of its chunks. @throws {AtomoeError} as `post`, and where the answer is none */
export async function ask(
  server: RemoteServer,
  path: string,
  { checked, choices, signal }: RemoteRequest,
): Promise<object> {
  const body = { ...checked, model: server.model };
  if (checked['stream'] !== true) {
    const answer = await jsonOf(await post(server, path, body, signal), server, signal);
    return { ...answer, ranOn: 'remote' };
  }
  const controller = new AbortController();
  const joined = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
  const response = await post(server, path, body, joined);
  const chunks = () => chunksOf(response, server, new ChoiceEnds(choices), joined);
  return { controller, ranOn: 'remote', [Symbol.asyncIterator]: chunks };
}

async function jsonOf(
  response: Response,
  { host, apiKey }: RemoteServer,
  signal: AbortSignal | undefined,
): Promise<Record<string, unknown>> {
  try {
    const answer = (await response.json()) as Record<string, unknown> | null;
    if (Array.isArray(answer?.['choices'])) return answer as Record<string, unknown>;
  } catch (error) {
    signal?.throwIfAborted();
    throw unreachable(host, withoutKey(textOf(error), apiKey));
  }
  throw unreachable(host, 'its answer has no choices');
}

/** The chunks of a reply. One that is stopped ends, as one of the engine does. */
async function* chunksOf(
  { body }: Response,
  { host, apiKey }: RemoteServer,
  ends: ChoiceEnds,
  signal: AbortSignal,
): AsyncGenerator<object, void, undefined> {
  if (!body) throw unreachable(host, 'its answer is empty');
  let isDone = false;
  try {
    for await (const event of readEvents(body as ReadableStream<Uint8Array<ArrayBuffer>>, host, signal)) {
      if (signal.aborted) return;
      if (event === DONE) {
        isDone = true;
        break;
      }
      const { choices, error } = event;
      if (error !== undefined && error !== null) throw unreachable(host, toldIn(error));
      if (!Array.isArray(choices)) throw unreachable(host, 'a chunk has no choices');
      ends.add(choices);
      yield { ...event, ranOn: 'remote' };
    }
  } catch (error) {
    if (signal.aborted) return;
    const message = withoutKey(textOf(error), apiKey);
    throw error instanceof AtomoeError ? new AtomoeError(error.code, message) : unreachable(host, message);
  }
  if (!signal.aborted && !ends.areWhole(isDone)) throw unreachable(host, 'the reply broke off');
}

/** Which choices of a stream have begun, and which have ended. */
class ChoiceEnds {
  readonly #asked: number;
  readonly #begun = new Set<unknown>();
  readonly #ended = new Set<unknown>();

  constructor(asked: number) {
    this.#asked = asked;
  }

  add(choices: readonly ({ index?: unknown; finish_reason?: unknown } | null)[]): void {
    for (const choice of choices) {
      const index = choice?.index ?? 0;
      this.#begun.add(index);
      if (choice?.finish_reason) this.#ended.add(index);
    }
  }

  /**
   * Whether a stream that is over holds all of its reply. llama.cpp and vLLM end each choice by a `finish_reason` and the stream by
   * `[DONE]`; some servers and proxies say only one of them, which will do.
   */
  areWhole(isDone: boolean): boolean {
    const [begun, ended] = [this.#begun.size, this.#ended.size];
    if (!isDone) return ended === begun && ended >= this.#asked;
    return begun > 0 && (ended === begun || ended === 0);
  }
}

function toldIn(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : 'its stream says that something went wrong';
}
