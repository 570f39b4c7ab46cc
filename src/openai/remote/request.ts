/** One request to another server, and its failures as one error each. Nothing here keeps, shows or logs the key. */
import { AtomoeError, type ErrorCode } from '../../errors.ts';
import type { Fetch } from '../fetch.ts';

/** Another server, as it is asked. */
export interface RemoteServer {
  readonly baseURL: string; // without a slash at the end
  readonly host: string; // named in errors and in questions
  readonly model: string; // the server's name for it
  readonly apiKey: string | undefined;
  readonly fetch: Fetch;
}

/** What a server's answer with this status means. */
const STATUS: Readonly<Record<number, readonly [ErrorCode, wanted: string]>> = {
  401: ['bad-input', 'a key that it takes; check remote.apiKey'],
  403: ['bad-input', 'a key that may ask this; check remote.apiKey'],
  404: ['bad-input', 'an address and a model that it has; check remote.baseURL and remote.model'],
  413: ['context-full', 'a shorter request; shorten it'],
  429: ['busy', 'fewer requests, or a larger quota; ask again later'],
};

const MOST_TOLD = 300;

/**
 * Sends a request.
 *
 * @throws {AtomoeError} network; bad-input; context-full; busy
 * @throws the reason of the signal
 */
export async function post(
  { baseURL, host, apiKey, fetch }: RemoteServer,
  path: string,
  body: object,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const headers = {
    'content-type': 'application/json',
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  };
  // No redirection: the visitor has agreed to this host, and the prompt would go to another.
  const init = { method: 'POST', headers, body: JSON.stringify(body), redirect: 'error' as const };
  const response = await fetch(`${baseURL}/${path}`, {
    ...init,
    credentials: 'omit',
    referrerPolicy: 'no-referrer',
    ...(signal ? { signal } : {}),
  }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw unreachable(host, withoutKey(textOf(cause), apiKey));
  });
  if (response.ok) return response;
  const { message, code } = await toldBy(response);
  // Cut afterwards: of a key that is cut, a part would stay.
  throw refused(host, response, { message: withoutKey(message, apiKey).slice(0, MOST_TOLD), code });
}

/** The error of a server that does not answer, or no further. */
export function unreachable(host: string, why: string): AtomoeError {
  return new AtomoeError(
    'network',
    `${host} does not answer: ${why}; wanted a server that speaks OpenAI's API and lets this page ask (CORS); check ` +
      'remote.baseURL and the network',
  );
}

/** What a server says is shown without the key, which some repeat. */
export function withoutKey(text: string, apiKey: string | undefined): string {
  return apiKey === undefined ? text : text.replaceAll(apiKey, '[the key]');
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface Told {
  readonly message: string;
  readonly code: unknown;
}

/** The sentence of an error in OpenAI's shape, or another answer. */
async function toldBy(response: Response): Promise<Told> {
  const text = await response.text().catch(() => '');
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown; code?: unknown } };
    if (typeof error?.message === 'string') return { message: error.message, code: error.code };
  } catch {
    // a page of a proxy, say
  }
  return { message: text, code: undefined };
}

function refused(host: string, { status, headers }: Response, { message, code }: Told): AtomoeError {
  const [kind, wanted] = STATUS[status] ?? [
    status < 500 ? 'bad-input' : 'network',
    status < 500 ? 'a request that it takes; change it' : 'an answer; ask again later',
  ];
  const known = code === 'context_length_exceeded' ? 'context-full' : kind;
  const later = headers.get('retry-after');
  const when = later !== null && /^\d+$/.test(later) ? ` in ${later} seconds` : '';
  return new AtomoeError(
    known,
    `${host} answered ${status}${message ? `: ${message}` : ''}; wanted ${wanted}${when}`,
  );
}
