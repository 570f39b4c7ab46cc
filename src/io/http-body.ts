/** The body of a ranged reply, checked against what its headers and the request say. */
import { AtomoeError } from '../errors.ts';
import { allocate } from './read.ts';

export interface ByteRange {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** The size of the file is not known yet, so the reply may rightly be shorter. */
  readonly mayEndEarly?: boolean;
}

export type RangeReply =
  | {
      kind: 'part';
      bytes: Uint8Array<ArrayBuffer>;
      totalBytes: number | undefined;
      validator: string | undefined;
    }
  | { kind: 'whole'; bytes: Uint8Array<ArrayBuffer>; validator: string | undefined } // the server does not do ranges
  | { kind: 'absent' };

/** A server without ranges makes us hold the file: more than this belongs on a better server. */
const WHOLE_LIMIT_BYTES = 2 ** 30;

/** Reads the body of a 200, 206 or 416 answer. Errors that a second try may cure are not AtomoeErrors. */
export async function readBody(
  url: string,
  range: ByteRange,
  response: Response,
  onBytes: (doneBytes: number) => void,
): Promise<RangeReply> {
  // Across origins an ETag is often hidden; Last-Modified never is.
  const validator = response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;
  if (response.status === 416) {
    await response.body?.cancel();
    const totalBytes = parseTotal(response.headers.get('content-range'));
    return { kind: 'part', bytes: new Uint8Array(0), totalBytes, validator };
  }
  if (response.status === 200) {
    return { kind: 'whole', bytes: await readWhole(url, response, onBytes), validator };
  }

  const said = parseContentRange(response.headers.get('content-range'));
  if (said && said.firstByte !== range.offsetBytes) {
    throw wrongRange(url, range, response.headers.get('content-range') ?? '');
  }
  const rest = said?.totalBytes === undefined ? undefined : said.totalBytes - range.offsetBytes;
  const limit = Math.min(range.sizeBytes, rest ?? range.sizeBytes);
  const bytes = await readUpTo(url, response, limit, onBytes);
  // Content-Range may be hidden from this page: then a short first window only says how long the file is.
  const isEnd = rest === undefined && range.mayEndEarly === true;
  if (bytes.byteLength < limit && !isEnd) {
    throw new Error(`the connection closed after ${bytes.byteLength} of ${limit} bytes`);
  }
  return { kind: 'part', bytes, totalBytes: said?.totalBytes, validator };
}

async function readWhole(
  url: string,
  response: Response,
  onBytes: (doneBytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const isPlain = response.headers.get('content-encoding') === null;
  const said = Number(response.headers.get('content-length') ?? Number.NaN);
  if (said > WHOLE_LIMIT_BYTES) {
    await response.body?.cancel();
    throw tooLargeWhole(url, said);
  }
  const chunks: Uint8Array[] = [];
  let doneBytes = 0;
  for await (const chunk of chunksOf(response)) {
    chunks.push(chunk);
    doneBytes += chunk.byteLength;
    if (doneBytes > WHOLE_LIMIT_BYTES) throw tooLargeWhole(url, doneBytes);
    onBytes(doneBytes);
  }
  if (isPlain && doneBytes < said) {
    throw new Error(`the connection closed after ${doneBytes} of ${said} bytes`);
  }
  const whole = allocate(url, doneBytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

async function readUpTo(
  url: string,
  response: Response,
  limitBytes: number,
  onBytes: (doneBytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = allocate(url, limitBytes);
  let doneBytes = 0;
  for await (const chunk of chunksOf(response)) {
    if (doneBytes + chunk.byteLength > limitBytes) {
      throw new AtomoeError(
        'bad-file',
        `${url}: the server sent more than the ${limitBytes} bytes that were asked for; use another host`,
      );
    }
    bytes.set(chunk, doneBytes);
    doneBytes += chunk.byteLength;
    onBytes(doneBytes);
  }
  return doneBytes === limitBytes ? bytes : bytes.slice(0, doneBytes);
}

/** Safari has no async iteration of streams. */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // After an abort the stream is already broken, and says so again.
    await reader.cancel().catch(() => undefined);
  }
}

function parseContentRange(
  text: string | null,
): { firstByte: number; totalBytes: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/i.exec(text ?? '');
  if (!match) return undefined;
  return { firstByte: Number(match[1]), totalBytes: match[2] === '*' ? undefined : Number(match[2]) };
}

function parseTotal(text: string | null): number | undefined {
  const match = /^bytes \*\/(\d+)$/i.exec(text ?? '');
  return match ? Number(match[1]) : undefined;
}

function wrongRange(url: string, range: ByteRange, said: string): AtomoeError {
  return new AtomoeError(
    'network',
    `${url}: the server sent "${said}", bytes from ${range.offsetBytes} on were wanted; its range support is ` +
      `broken, use another host`,
  );
}

function tooLargeWhole(url: string, sizeBytes: number): AtomoeError {
  return new AtomoeError(
    'network',
    `${url}: the server ignores range requests and the file has ${sizeBytes} bytes, at most ${WHOLE_LIMIT_BYTES} ` +
      `can be read in one piece; use a host that supports ranges, or download it and open it from disk`,
  );
}
