/** Errors of HTTP in OpenAI's shape. Without the engine's errors: service workers load this file. */

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

/** The body of a response, or of an event in a stream. */
export function errorBody({ status, code, headers, message }: HttpError) {
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  return { status, headers, body: { error: { message, type, param: null, code } } };
}
