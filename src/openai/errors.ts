/** Errors as OpenAI's HTTP API states them. */
import { AtomoeError, type ErrorCode } from '../errors.ts';

/** What is wrong with a request, with the status that says so. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    {
      code = null,
      headers = {},
      cause,
    }: { code?: string | null; headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** 4xx: another request would do; 503: a later one may. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  'bad-input': 400,
  'context-full': 400,
  busy: 429,
  disposed: 503,
  'device-lost': 503,
  'out-of-memory': 503,
  network: 502,
};

/** Codes that OpenAI's clients know by another name. */
const CODE: Readonly<Partial<Record<ErrorCode, string>>> = { 'context-full': 'context_length_exceeded' };

/** Any error of an engine as one of HTTP. */
export function httpErrorOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof AtomoeError) {
    const code = CODE[error.code] ?? error.code;
    return new HttpError(STATUS[error.code] ?? 500, error.message, { code, cause: error });
  }
  return new HttpError(500, error instanceof Error ? error.message : String(error), { code: 'internal' });
}

/** The body of a response, or of an event in a stream. */
export function errorBody({ status, code, headers, message }: HttpError) {
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  return { status, headers, body: { error: { message, type, param: null, code } } };
}
