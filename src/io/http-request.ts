/** One ranged GET: retries, stalls, aborts and what a status means. `http.ts` makes files and folders of it. */
import { AtomoeError } from '../errors.ts';
import { readBody } from './http-body.ts';
import type { ByteRange, RangeReply } from './http-body.ts';
import type { ReadOptions } from './source.ts';

export interface HttpOptions {
  headers?: Readonly<Record<string, string>>;
  /** Tries per request, the first included. */
  attempts?: number;
  /** A request that brings nothing for this long is given up and tried again. */
  stallTimeoutMs?: number;
  /** The page's origin, to tell a refused cross-origin request from a dead network. */
  origin?: string;
  fetch?: typeof fetch;
  /** The longest wait between tries, whatever a server asks for by Retry-After; default 20 s. */
  mostDelayMs?: number;
  /** Waits between tries. */
  delay?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

type Attempt = RangeReply | { kind: 'retry'; error: AtomoeError; afterMs: number | undefined };

const ATTEMPTS = 5;
export const STALL_TIMEOUT_MS = 30_000;
const FIRST_DELAY_MS = 500; // doubles: 0.5, 1, 2, 4 seconds
const MOST_DELAY_MS = 20_000;

/**
 * Asks for a range until it comes, or is known not to.
 *
 * @throws {AtomoeError} network - unreachable or refused after all tries; cors; bad-file - a body longer than said
 */
export async function requestRange(
  url: string,
  range: ByteRange,
  http: HttpOptions,
  options: ReadOptions = {},
): Promise<RangeReply> {
  const attempts = http.attempts ?? ATTEMPTS;
  let wasRefused = false;
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted();
    const outcome = await attemptRange(url, range, http, options);
    if (outcome.kind !== 'retry') return outcome;
    // A connection that broke just before its answer looks like a refusal, but only once.
    const isRefused = outcome.error.code === 'cors';
    if (attempt >= attempts || (isRefused && wasRefused)) throw outcome.error;
    wasRefused = isRefused;
    const backoffMs = outcome.afterMs ?? FIRST_DELAY_MS * 2 ** (attempt - 1);
    await (http.delay ?? abortableDelay)(
      Math.min(backoffMs, http.mostDelayMs ?? MOST_DELAY_MS),
      options.signal,
    );
  }
}

async function attemptRange(
  url: string,
  range: ByteRange,
  http: HttpOptions,
  { signal, onProgress }: ReadOptions,
): Promise<Attempt> {
  const last = range.offsetBytes + range.sizeBytes - 1;
  const watchdog = new StallWatchdog(signal, http.stallTimeoutMs ?? STALL_TIMEOUT_MS);
  let isAnswered = false;
  try {
    const response = await (http.fetch ?? fetch)(url, {
      headers: { ...http.headers, Range: `bytes=${range.offsetBytes}-${last}` },
      signal: watchdog.signal,
    });
    isAnswered = true;
    watchdog.touch();
    const refusal = refuse(url, response);
    if (refusal) {
      await response.body?.cancel();
      return refusal;
    }
    return await readBody(url, range, response, (doneBytes) => {
      watchdog.touch();
      onProgress?.(doneBytes);
    });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof AtomoeError) throw cause;
    // Whoever lets us read an answer's head lets us read its body: what broke then is the connection.
    if (!isAnswered && !watchdog.hasStalled && (await isRefusedByCors(url, http, watchdog))) {
      return { kind: 'retry', error: corsError(url, cause), afterMs: undefined };
    }
    signal?.throwIfAborted();
    return { kind: 'retry', error: unreachable(url, range, watchdog.hasStalled, cause), afterMs: undefined };
  } finally {
    watchdog.stop();
  }
}

/** What a status or a content type says without the body; undefined: read on. */
function refuse(url: string, { status, headers }: Response): Attempt | undefined {
  if (status === 404 || status === 410) return { kind: 'absent' };
  // Hosts of single-page apps answer a missing file with their index page and status 200.
  const isPage = /^text\/html\b/i.test(headers.get('content-type') ?? '');
  if ((status === 200 || status === 206) && isPage) return { kind: 'absent' };
  if (status === 200 || status === 206 || status === 416) return undefined;
  if (status >= 500 || status === 429 || status === 408) {
    const seconds = Number(headers.get('retry-after') ?? Number.NaN);
    const error = new AtomoeError(
      'network',
      `${url}: the server answered ${status} to every try, 206 was wanted; try again later`,
    );
    return { kind: 'retry', error, afterMs: seconds >= 0 ? seconds * 1000 : undefined };
  }
  const advice =
    status === 401 || status === 403
      ? 'the model may want a login or an accepted licence: give an access token, or download it and open the folder'
      : 'check the address';
  throw new AtomoeError('network', `${url}: the server answered ${status}, 206 was wanted; ${advice}`);
}

function unreachable(url: string, range: ByteRange, hasStalled: boolean, cause: unknown): AtomoeError {
  const why = hasStalled ? 'the server fell silent' : cause instanceof Error ? cause.message : String(cause);
  return new AtomoeError(
    'network',
    `${url} could not be read: ${why}; ${range.sizeBytes} bytes at ${range.offsetBytes} were wanted; ` +
      `check the address and the connection, then load again`,
    { cause },
  );
}

function corsError(url: string, cause: unknown): AtomoeError {
  return new AtomoeError(
    'cors',
    `${url}: the server is there but does not let this page read it; it must send Access-Control-Allow-Origin; ` +
      `use a host that does, or download the files and open them from disk`,
    { cause },
  );
}

/** fetch() hides why it failed. A request that asks for no permission tells a closed door from an empty house. */
async function isRefusedByCors(url: string, http: HttpOptions, watchdog: StallWatchdog): Promise<boolean> {
  const origin = http.origin ?? globalThis.location?.origin;
  if (origin === undefined || new URL(url).origin === origin) return false;
  try {
    await (http.fetch ?? fetch)(url, { method: 'HEAD', mode: 'no-cors', signal: watchdog.signal });
    return true;
  } catch {
    return false;
  }
}

/** Aborts a request when the caller does, or when nothing has come for a while. */
class StallWatchdog {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #onAbort = () => this.#controller.abort(this.#outer?.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasStalled = false;

  constructor(outer: AbortSignal | undefined, timeoutMs: number) {
    this.#outer = outer;
    this.#timeoutMs = timeoutMs;
    outer?.addEventListener('abort', this.#onAbort, { once: true });
    this.touch();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get hasStalled(): boolean {
    return this.#hasStalled;
  }

  /** Something arrived. */
  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#hasStalled = true;
      this.#controller.abort(new Error(`no byte for ${this.#timeoutMs} ms`));
    }, this.#timeoutMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onAbort);
  }
}

function abortableDelay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
