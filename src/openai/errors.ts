/** The engine's errors as OpenAI's HTTP API states them. */
import { AtomoeError, type ErrorCode } from '../errors.ts';
import { HttpError } from './http-error.ts';

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
