/** Asks another server. Loaded with the first reply that it gives. */
import { AtomoeError } from '../../errors.ts';
import { readEvents } from './events.ts';
import { post, textOf, unreachable, withoutKey, type RemoteServer } from './request.ts';

/** The request as it is sent: what the engine would refuse is refused, and nothing that only it can do is asked elsewhere. */
export async function readBody(path: string, body: unknown, options: unknown) {
  const reader =
    path === 'completions'
      ? (await import('../../engine/talk/text-completions-request.ts')).readTextRequest(body, options).options
      : (await import('../../engine/talk/completions-request.ts')).readChatBody(body, options);
  const { atomoe, signal: _, ...checked } = body as Record<string, unknown>;
  if (typeof atomoe === 'object' && atomoe !== null && Object.keys(atomoe).length > 0) {
    throw new AtomoeError(
      'bad-input',
      'atomoe asks for hooks, traces or a strategy, and the reply comes from another server; wanted a request without it; ' +
        'leave it out, or load the model here',
    );
  }
  return { checked, signal: reader.signal };
}

/** The answer, or a stream of its chunks. @throws {AtomoeError} as `post`, and where the answer is none */
export async function ask(
  server: RemoteServer,
  path: string,
  body: Record<string, unknown>,
  signal: AbortSignal | undefined,
): Promise<object> {
  if (body['stream'] !== true) {
    const answer = await jsonOf(await post(server, path, body, signal), server, signal);
    return { ...answer, ranOn: 'remote' };
  }
  const controller = new AbortController();
  const joined = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
  const response = await post(server, path, body, joined);
  return { controller, ranOn: 'remote', [Symbol.asyncIterator]: () => chunksOf(response, server, joined) };
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
  signal: AbortSignal,
): AsyncGenerator<object, void, undefined> {
  if (!body) throw unreachable(host, 'its answer is empty');
  let hasEnded = false;
  try {
    for await (const event of readEvents(body as ReadableStream<Uint8Array<ArrayBuffer>>, host, signal)) {
      if (signal.aborted) return;
      const { choices, error } = event;
      if (error !== undefined && error !== null) throw unreachable(host, toldIn(error));
      if (!Array.isArray(choices)) throw unreachable(host, 'a chunk has no choices');
      hasEnded ||= (choices as { finish_reason?: unknown }[]).some((choice) =>
        Boolean(choice?.finish_reason),
      );
      yield { ...event, ranOn: 'remote' };
    }
  } catch (error) {
    if (signal.aborted) return;
    const message = withoutKey(textOf(error), apiKey);
    throw error instanceof AtomoeError ? new AtomoeError(error.code, message) : unreachable(host, message);
  }
  if (!hasEnded && !signal.aborted) throw unreachable(host, 'the reply broke off');
}

function toldIn(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : 'its stream says that something went wrong';
}
