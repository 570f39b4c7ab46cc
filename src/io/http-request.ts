/** One GET of a file or a part of it: retries, stalls, aborts and what a status means. `http.ts` makes files of it. */
import { AtomoeError } from '../errors.ts';
import { readBody } from './http-body.ts';
import type { HttpTarget, RangeRequest, Reply } from './http-reply.ts';
import { redact, redactCause } from './http-url.ts';
import type { ReadOptions } from './source.ts';
import { Watchdog } from './watchdog.ts';

/** How requests are made. */
export interface HttpOptions {
  /** Sent with every request, such as `authorization`. No message repeats them. */
  headers?: Readonly<Record<string, string>>;
  /** Tries per request, the first included. */
  attempts?: number;
  /** A request that brings nothing, or next to nothing, for this long is given up and tried again. */
  stallTimeoutMs?: number;
  /** The page's origin, to tell a refused cross-origin request from a dead network. */
  origin?: string;
  fetch?: typeof fetch;
  /** The longest that one read waits between its tries, in all, whatever a server asks for by Retry-After; default 15 s. */
  mostDelayMs?: number;
  /** Waits between tries. */
  delay?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** How long one read may still wait between tries, over all requests that it makes. */
export interface Waiting {
  leftMs: number;
}

/** Of one read: what waiting it may do in all. */
export function waitingOf({ mostDelayMs = MOST_DELAY_MS }: HttpOptions): Waiting {
  return { leftMs: mostDelayMs };
}

/** Options of one request. */
export interface RequestOptions extends ReadOptions {
  readonly waiting: Waiting;
}

type Retry = { kind: 'retry'; error: AtomoeError; isRefusal?: boolean; afterMs?: number | undefined };
type Attempt = Reply | Retry;

const ATTEMPTS = 5;

/** A transfer that brings no byte for this long has failed. */
export const STALL_TIMEOUT_MS = 30_000;
const FIRST_DELAY_MS = 500; // doubles: 0.5, 1, 2, 4 seconds
const MOST_DELAY_MS = 15_000;

/**
 * Asks for a range until it comes, or is known not to.
 *
 * @returns the part; or 'absent' and the like: what a server says instead
 * @throws {AtomoeError} network - unreachable after all tries; bad-file - a body longer than said or believable
 */
export async function requestRange(
  target: HttpTarget,
  request: RangeRequest,
  http: HttpOptions,
  options: RequestOptions,
): Promise<Reply> {
  const attempts = http.attempts ?? ATTEMPTS;
  let wasRefused = false;
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted();
    const outcome = await attemptRange(target, request, http, options);
    if (outcome.kind !== 'retry') return outcome;
    // A connection that broke just before its answer looks like a refusal, but only once.
    const isRefusal = outcome.isRefusal ?? false;
    if (isRefusal && (wasRefused || attempt >= attempts)) return { kind: 'refused', error: outcome.error };
    if (attempt >= attempts) throw outcome.error;
    wasRefused = isRefusal;
    const { afterMs } = outcome;
    const { waiting } = options;
    if (afterMs !== undefined && afterMs > waiting.leftMs) throw toldToWait(outcome.error, afterMs);
    const delayMs = Math.min(afterMs ?? FIRST_DELAY_MS * 2 ** (attempt - 1), waiting.leftMs);
    waiting.leftMs -= delayMs;
    await (http.delay ?? abortableDelay)(delayMs, options.signal);
  }
}

/** The server does not want to be asked for longer than a reader waits: another try would only be refused. */
function toldToWait(cause: AtomoeError, afterMs: number): AtomoeError {
  const seconds = Math.min(Math.ceil(afterMs / 1000), 1e9);
  const message = cause.message
    .replace(' to every try', '')
    .replace('try again later', `it asks to wait ${seconds} seconds; try again then`);
  return new AtomoeError(cause.code, message, { cause });
}

async function attemptRange(
  target: HttpTarget,
  request: RangeRequest,
  http: HttpOptions,
  { signal, onProgress }: ReadOptions,
): Promise<Attempt> {
  const last = request.offsetBytes + request.sizeBytes - 1;
  const watchdog = new Watchdog(signal, http.stallTimeoutMs ?? STALL_TIMEOUT_MS);
  const range = request.isPlain === true ? {} : { Range: `bytes=${request.offsetBytes}-${last}` };
  let status: number | undefined;
  try {
    const response = await (http.fetch ?? fetch)(target.href, {
      // Chromium lets one request at a time write to a file's cache entry, so that ranges would wait for one another; and
      // what is worth keeping is kept by the disk cache.
      cache: 'no-store',
      headers: { ...target.headers, ...range },
      signal: watchdog.signal,
    });
    ({ status } = response);
    watchdog.restart();
    const refusal = refuse(target, response);
    if (refusal) {
      await response.body?.cancel();
      return refusal;
    }
    return await readBody(target, request, response, (doneBytes) => {
      watchdog.advance(doneBytes);
      onProgress?.(Math.min(doneBytes, request.sizeBytes));
    });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof AtomoeError) throw cause;
    // A server that lets us read an answer's head lets us read its body: what broke then is the connection.
    if (status === undefined && !watchdog.hasStalled) {
      const error = await refusalOf(target, http, watchdog, cause);
      signal?.throwIfAborted();
      if (error) return { kind: 'retry', error, isRefusal: true };
    }
    // The first part of a compressed file cannot be unpacked, and the header that says so may be hidden from this page.
    // (A TypeError is the reader's: a body that is only too short is none.)
    const isSmall = request.isFirst === true && request.mostBytes !== undefined;
    const isBroken = cause instanceof TypeError && !watchdog.hasStalled;
    if (isSmall && status === 206 && isBroken) return { kind: 'encoded' };
    const mayBeCors =
      status === undefined && isElsewhere(target, http) && globalThis.crossOriginIsolated === true;
    const facts = { hasStalled: watchdog.hasStalled, mayBeCors };
    return { kind: 'retry', error: unreachable(target, request, facts, cause) };
  } finally {
    watchdog.stop();
  }
}

/** What a status or a content type says without the body; undefined: read on. */
function refuse(target: HttpTarget, { status, headers }: Response): Attempt | undefined {
  const { label } = target;
  if (status === 404 || status === 410) return { kind: 'absent' };
  // Hosts of single-page apps answer a missing file with their index page and status 200.
  const isPage = /^\s*text\/html\b/i.test(headers.get('content-type') ?? '');
  if ((status === 200 || status === 206) && isPage) return { kind: 'absent' };
  if (status === 200 || status === 206 || status === 416) return undefined;
  if (status >= 500 || status === 429 || status === 408) {
    const error = new AtomoeError(
      'network',
      `${label}: the server answered ${status} to every try, 206 was wanted; try again later`,
    );
    return { kind: 'retry', error, afterMs: parseRetryAfter(headers.get('retry-after')) };
  }
  return {
    kind: 'refused',
    error: new AtomoeError(
      'network',
      `${label}: the server answered ${status}, 206 was wanted; ${adviceFor(status, target)}`,
    ),
  };
}

function adviceFor(status: number, { headers, secrets }: HttpTarget): string {
  if (status !== 401 && status !== 403) return 'check the address';
  if (Object.keys(headers).length > 0 || secrets.length > 0) {
    return 'what the address or the headers sign in with is wrong, expired, or not allowed to read it; get a new one';
  }
  return (
    'the model may want a login or an accepted licence: load it with headers: { authorization: ... }, ' +
    'or download it and open the folder'
  );
}

/** Seconds, or a date; undefined: neither. */
function parseRetryAfter(text: string | null): number | undefined {
  if (text === null || !/^\s*(\d|[a-z])/i.test(text)) return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** What a request in no-cors mode would tell, the browser keeps from a page that requires CORP. */
const ISOLATED =
  ' (and that the server sends Access-Control-Allow-Origin, which an isolated page is not told)';

function unreachable(
  { label, secrets }: HttpTarget,
  request: RangeRequest,
  { hasStalled, mayBeCors }: { readonly hasStalled: boolean; readonly mayBeCors: boolean },
  cause: unknown,
): AtomoeError {
  const thrown = cause instanceof Error ? cause.message : String(cause);
  const why = hasStalled ? 'the server fell silent, or nearly' : redact(thrown, secrets);
  return new AtomoeError(
    'network',
    `${label} could not be read: ${why}; ${request.sizeBytes} bytes at ${request.offsetBytes} were wanted; ` +
      `check the address and the connection${mayBeCors ? ISOLATED : ''}, then load again`,
    { cause: redactCause(cause, secrets) },
  );
}

/** fetch() hides why it failed; undefined: as far as is known, there is no server. */
async function refusalOf(
  target: HttpTarget,
  http: HttpOptions,
  watchdog: Watchdog,
  thrown: unknown,
): Promise<AtomoeError | undefined> {
  const { label, secrets } = target;
  const cause = redactCause(thrown, secrets);
  if (target.isLocal) return notHere(label, new URL(target.href).protocol, cause);
  if (!(await isRefusedByCors(target, http, watchdog))) return undefined;
  return new AtomoeError(
    'cors',
    `${label}: the server is there but does not let this page read it; it must send Access-Control-Allow-Origin; ` +
      `use a host that does, or download the files and open them from disk`,
    { cause },
  );
}

/** Files of an app or an extension come from no network: what cannot be fetched is not there. */
function notHere(label: string, protocol: string, cause: unknown): AtomoeError {
  const advice =
    protocol === 'file:'
      ? 'browsers let few pages read file: addresses; choose the files instead, or open the folder with nodeFolder()'
      : `check the address, and that pages here may fetch ${protocol} addresses`;
  return new AtomoeError('network', `${label} could not be read; an answer was wanted; ${advice}`, { cause });
}

/** A request in no-cors mode distinguishes a CORS refusal from an unreachable host. */
async function isRefusedByCors(target: HttpTarget, http: HttpOptions, watchdog: Watchdog): Promise<boolean> {
  if (!isElsewhere(target, http)) return false;
  try {
    await (http.fetch ?? fetch)(target.href, { method: 'HEAD', mode: 'no-cors', signal: watchdog.signal });
    return true;
  } catch {
    return false;
  }
}

function abortableDelay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Whether a page asks another origin. */
function isElsewhere({ href }: HttpTarget, http: HttpOptions): boolean {
  const origin = http.origin ?? globalThis.location?.origin;
  return origin !== undefined && new URL(href).origin !== origin;
}
