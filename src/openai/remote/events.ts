/** Server-sent events of a reply, as JSON objects. */
import { AtomoeError } from '../../errors.ts';

/** Of one event, in characters: chunks are far below it. */
const MOST_EVENT = 2 ** 22;

/** What says that a stream has ended as its server wanted it to. */
export const DONE = '[DONE]';

/**
 * The objects of a stream's `data` lines, and `DONE` behind them where the server says it.
 *
 * @param host - named in errors
 * @param signal - ends the request, whatever made its body
 * @throws {AtomoeError} network - the stream holds something else, or breaks off
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  host: string,
  signal: AbortSignal,
): AsyncGenerator<Record<string, unknown> | typeof DONE, void, undefined> {
  let data: string[] = [];
  for await (const line of linesOf(body, host, signal)) {
    const value = /^data: ?(.*)$/s.exec(line)?.[1];
    if (value !== undefined) data.push(value);
    if (line !== '' || data.length === 0) continue;
    const event = data.join('\n');
    data = [];
    if (event === DONE) return yield DONE;
    yield parsed(event, host);
  }
  const last = data.join('\n');
  if (last === DONE) yield DONE;
  else if (data.length > 0) yield parsed(last, host);
}

/** Lines end with CR, LF or both. */
async function* linesOf(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  host: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const reader = body.pipeThrough(new TextDecoderStream(), { signal }).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value = '' } = await reader.read();
      rest += value;
      // A CR at the end may be half of a line's end.
      const lines = (done ? rest : rest.replace(/\r$/, '')).split(/\r\n|\r|\n/);
      const held = !done && rest.endsWith('\r') ? '\r' : '';
      rest = (lines.pop() ?? '') + held;
      yield* lines;
      if (done) break;
      if (rest.length > MOST_EVENT) throw noEvents(host);
    }
    if (rest !== '') yield rest;
  } finally {
    await reader.cancel().catch(() => {}); // ends the request where the reader has left
  }
}

function parsed(event: string, host: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(event);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // told below
  }
  throw noEvents(host);
}

function noEvents(host: string): AtomoeError {
  return new AtomoeError(
    'network',
    `${host} streams something that is no reply; wanted server-sent events with JSON; check remote.baseURL`,
  );
}
