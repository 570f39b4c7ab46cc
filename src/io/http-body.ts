/** The body of a reply, checked against what its headers and the request say, and bounded while it is read. */
import { AtomoeError } from '../errors.ts';
import type { HttpTarget, RangeRequest, Reply, Version } from './http-reply.ts';
import { allocate } from './read.ts';

/** A server without ranges makes us hold the file: more than this belongs on a better server. */
const WHOLE_LIMIT_BYTES = 2 ** 30;

/** This much is read to find the end of a file whose size is not reported. */
const UNSIZED_LIMIT_BYTES = 32 * 2 ** 20;

/** Reads the body of a 200, 206 or 416 answer. Errors that a second try may cure are not AtomoeErrors. */
export async function readBody(
  target: HttpTarget,
  request: RangeRequest,
  response: Response,
  onBytes: (doneBytes: number) => void,
): Promise<Reply> {
  const version = versionOf(response);
  if (response.status === 416) {
    await response.body?.cancel();
    const totalBytes = parseTotal(response.headers.get('content-range'));
    return {
      kind: 'part',
      bytes: new Uint8Array(0),
      totalBytes,
      hasRange: totalBytes !== undefined,
      version,
    };
  }
  if (response.status === 200) return readFromStart(target, request, response, onBytes);
  if (isEncoded(response)) {
    await response.body?.cancel();
    return { kind: 'encoded' };
  }

  const said = parseContentRange(target, request, response.headers.get('content-range'));
  if (said) checkRange(target, request, response, said);
  const rest = said?.totalBytes === undefined ? undefined : said.totalBytes - request.offsetBytes;
  const limit = Math.min(request.sizeBytes, rest ?? request.sizeBytes);
  const read = await readUpTo(target.label, response, limit, onBytes);
  const sent = contentLength(response);
  // Where the encoding is hidden from this page, the length that was sent is not.
  if (sent !== undefined && (read.bytes.byteLength > sent || (!read.isEnd && sent <= limit))) {
    return { kind: 'encoded' };
  }
  if (!read.isEnd) throw tooMuch(target, limit);
  // Content-Range may be hidden from this page: then a short first window only says how long the file is.
  const mayEnd = rest === undefined && request.isFirst === true;
  if (read.bytes.byteLength < limit && !mayEnd) throw cutShort(read.bytes.byteLength, limit);
  return {
    kind: 'part',
    bytes: read.bytes,
    totalBytes: said?.totalBytes,
    hasRange: said !== undefined,
    version,
  };
}

/** Of a 200 as much as is wanted, or, of a small file, all. */
async function readFromStart(
  target: HttpTarget,
  { fromStartBytes, mostBytes }: RangeRequest,
  response: Response,
  onBytes: (doneBytes: number) => void,
): Promise<Reply> {
  const version = versionOf(response);
  const totalBytes = isEncoded(response) ? undefined : contentLength(response);
  const mostWhole = Math.min(mostBytes ?? WHOLE_LIMIT_BYTES, WHOLE_LIMIT_BYTES);
  try {
    if (totalBytes !== undefined && totalBytes > mostWhole) throw tooLarge(target, totalBytes, mostBytes);
    const unsized = target.isLocal ? mostWhole : Math.max(fromStartBytes, UNSIZED_LIMIT_BYTES);
    const wanted = mostBytes ?? (totalBytes === undefined ? unsized : Math.min(fromStartBytes, totalBytes));
    const { bytes, isEnd } = await readUpTo(target.label, response, wanted, onBytes, totalBytes ?? 0);
    const isComplete = isEnd || bytes.byteLength === totalBytes;
    if (!isComplete && mostBytes !== undefined) throw tooLarge(target, bytes.byteLength + 1, mostBytes);
    if (!isComplete && totalBytes === undefined) throw unsizedFile(target, bytes.byteLength);
    if (isEnd && bytes.byteLength < Math.min(wanted, totalBytes ?? 0)) {
      throw cutShort(bytes.byteLength, Math.min(wanted, totalBytes ?? 0));
    }
    return { kind: 'start', bytes, totalBytes: totalBytes ?? bytes.byteLength, isComplete, version };
  } finally {
    await response.body?.cancel().catch(() => undefined); // enough is enough
  }
}

/**
 * The first `limitBytes` of a body; `isEnd`: it has no more. Nothing beyond them is kept.
 *
 * @param likelyBytes - what the whole body is said to have; room is made for what really comes
 */
async function readUpTo(
  label: string,
  response: Response,
  limitBytes: number,
  onBytes: (doneBytes: number) => void,
  likelyBytes = limitBytes,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; isEnd: boolean }> {
  let bytes = allocate(label, Math.min(limitBytes, likelyBytes));
  let doneBytes = 0;
  const finish = (isEnd: boolean) => ({
    bytes: doneBytes === bytes.byteLength ? bytes : bytes.slice(0, doneBytes),
    isEnd,
  });
  for await (const chunk of chunksOf(response)) {
    const room = limitBytes - doneBytes;
    const part = chunk.byteLength > room ? chunk.subarray(0, room) : chunk;
    if (doneBytes + part.byteLength > bytes.byteLength) {
      const grown = allocate(label, Math.min(limitBytes, 2 * (doneBytes + part.byteLength)));
      grown.set(bytes.subarray(0, doneBytes));
      bytes = grown;
    }
    bytes.set(part, doneBytes);
    doneBytes += part.byteLength;
    onBytes(doneBytes);
    if (chunk.byteLength > room) return finish(false);
    if (doneBytes === limitBytes && likelyBytes > limitBytes) return finish(false);
  }
  return finish(true);
}

/** Safari has no async iteration of streams. */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (value.byteLength > 0) yield value;
    }
  } finally {
    // After an abort the stream is already broken, and says so again.
    await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}

/** Across origins an ETag is often hidden; Last-Modified never is. */
function versionOf({ headers }: Response): Version {
  return {
    etag: headers.get('etag') ?? undefined,
    modified: headers.get('last-modified') ?? undefined,
  };
}

function isEncoded({ headers }: Response): boolean {
  const encoding = headers.get('content-encoding')?.trim() ?? '';
  return encoding !== '' && !/^identity$/i.test(encoding);
}

function contentLength({ headers }: Response): number | undefined {
  const text = headers.get('content-length');
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}

interface ContentRange {
  readonly firstByte: number;
  readonly lastByte: number;
  readonly totalBytes: number | undefined;
}

function parseContentRange(
  target: HttpTarget,
  request: RangeRequest,
  text: string | null,
): ContentRange | undefined {
  if (text === null) return undefined;
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(text.trim());
  if (!match) throw wrongRange(target, request, text);
  const totalBytes = match[3] === '*' ? undefined : Number(match[3]);
  return { firstByte: Number(match[1]), lastByte: Number(match[2]), totalBytes };
}

/** The part is the one that was asked for: from its first byte on, and as much of it as the file has. */
function checkRange(
  target: HttpTarget,
  request: RangeRequest,
  response: Response,
  { firstByte, lastByte, totalBytes }: ContentRange,
): void {
  const end = request.offsetBytes + request.sizeBytes;
  const isAsked = firstByte === request.offsetBytes && lastByte >= firstByte && lastByte < end;
  const isInside = totalBytes === undefined || lastByte < totalBytes;
  if (isAsked && isInside) return;
  throw wrongRange(target, request, response.headers.get('content-range') ?? '');
}

function parseTotal(text: string | null): number | undefined {
  const match = /^bytes \*\/(\d+)$/i.exec(text ?? '');
  return match ? Number(match[1]) : undefined;
}

/** Not an AtomoeError: a second try may bring the rest. */
function cutShort(doneBytes: number, wantedBytes: number): Error {
  return new Error(`the connection closed after ${doneBytes} of ${wantedBytes} bytes`);
}

/** The error for an answer that is another range than the one asked for. */
export function wrongRange({ label }: HttpTarget, { offsetBytes }: RangeRequest, said: string): AtomoeError {
  return new AtomoeError(
    'network',
    `${label}: the server sent "${said}", bytes from ${offsetBytes} on were wanted; its range support is ` +
      `broken, use another host`,
  );
}

function tooMuch({ label }: HttpTarget, limitBytes: number): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${label}: the server sent more than the ${limitBytes} bytes that were asked for; use another host`,
  );
}

function tooLarge({ label }: HttpTarget, sizeBytes: number, mostBytes: number | undefined): AtomoeError {
  if (mostBytes !== undefined) {
    return new AtomoeError(
      'bad-file',
      `${label} has ${sizeBytes} bytes or more, at most ${mostBytes} are believable; download it again from its publisher`,
    );
  }
  return new AtomoeError(
    'network',
    `${label}: the server ignores range requests and the file has ${sizeBytes} bytes, at most ${WHOLE_LIMIT_BYTES} ` +
      `can be read in one piece; use a host that supports ranges, or download it and open it from disk`,
  );
}

function unsizedFile({ label }: HttpTarget, doneBytes: number): AtomoeError {
  return new AtomoeError(
    'network',
    `${label}: the server ignores range requests and does not tell the file's size, which is more than ${doneBytes} ` +
      `bytes; ranges, or Content-Length without compression are wanted; use another host, or open the files from disk`,
  );
}
