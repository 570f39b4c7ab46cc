import { AtomoeError } from '../errors.ts';
import { requestRange, STALL_TIMEOUT_MS } from './http-request.ts';
import type { HttpOptions } from './http-request.ts';
import { baseName, isWeightFile, pathSegments } from './names.ts';
import { allocate, checkRange } from './read.ts';
import type { FileSource, FolderSource, ReadOptions } from './source.ts';

/** The first request of a file brings this much: all of a config, and most safetensors headers. */
const WINDOW_BYTES = 64 * 1024;

/**
 * A folder on a web server, or one weight file of it. Files are read by HTTP ranges; a server that does not do ranges is
 * read whole, once per file.
 *
 * @param url - absolute; a folder with or without its last slash, or the URL of a weight file
 */
export function httpFolder(url: string, options: HttpOptions = {}): FolderSource {
  const base = parseUrl(url);
  const entry = isWeightFile(base.pathname) ? decodeURIComponent(baseName(base.pathname)) : undefined;
  if (entry === undefined && !base.pathname.endsWith('/')) base.pathname += '/';
  return {
    label: url,
    ...(entry === undefined ? {} : { entry }),
    async open(name, { signal, patience } = {}) {
      const path = pathSegments(name, url).map(encodeURIComponent).join('/');
      // The entry keeps its query: it may be signed.
      const fileUrl = name === entry ? base.href : new URL(path, base).href;
      const first = patience === 'short' ? { ...options, ...shortPatience(options) } : options;
      return openHttpFile(name, fileUrl, { http: options, first }, signal);
    },
  };
}

/** For who has something to go on with when the server does not answer. */
const SHORT_ATTEMPTS = 2;
const SHORT_STALL_MS = 5000;
const SHORT_DELAY_MS = 1000;

function shortPatience({ attempts = SHORT_ATTEMPTS, stallTimeoutMs = SHORT_STALL_MS }: HttpOptions) {
  return {
    attempts: Math.min(attempts, SHORT_ATTEMPTS),
    stallTimeoutMs: Math.min(stallTimeoutMs, SHORT_STALL_MS),
    mostDelayMs: SHORT_DELAY_MS,
  };
}

async function openHttpFile(
  name: string,
  url: string,
  { http, first: patient }: { http: HttpOptions; first: HttpOptions },
  signal: AbortSignal | undefined,
): Promise<FileSource | undefined> {
  const window = { offsetBytes: 0, sizeBytes: WINDOW_BYTES, mayEndEarly: true };
  const first = await requestRange(url, window, patient, { signal });
  if (first.kind === 'absent') return undefined;
  if (first.kind === 'whole') return new HttpFile(name, url, http, first.bytes.byteLength, first);
  const isComplete = first.bytes.byteLength < WINDOW_BYTES;
  const totalBytes =
    first.totalBytes ?? (isComplete ? first.bytes.byteLength : await headSize(url, http, signal));
  return new HttpFile(name, url, http, totalBytes, first);
}

/** Content-Length is readable across origins where Content-Range is not. */
async function headSize(url: string, http: HttpOptions, signal: AbortSignal | undefined): Promise<number> {
  try {
    const timeout = AbortSignal.timeout(http.stallTimeoutMs ?? STALL_TIMEOUT_MS);
    const response = await (http.fetch ?? fetch)(url, {
      method: 'HEAD',
      headers: { ...http.headers },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const sizeBytes = Number(response.headers.get('content-length') ?? Number.NaN);
    if (response.ok && sizeBytes >= WINDOW_BYTES) return sizeBytes;
  } catch (cause) {
    signal?.throwIfAborted();
    throw hiddenSize(url, { cause });
  }
  throw hiddenSize(url);
}

/** What the first reply told. */
interface FirstReply {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly validator: string | undefined;
}

class HttpFile implements FileSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly validator: string | undefined;
  readonly #url: string;
  readonly #http: HttpOptions;
  #head: Uint8Array<ArrayBuffer>; // the first window, or the whole file
  #isDisposed = false;

  constructor(name: string, url: string, http: HttpOptions, sizeBytes: number, first: FirstReply) {
    this.name = name;
    this.#url = url;
    this.#http = http;
    this.sizeBytes = sizeBytes;
    this.#head = first.bytes;
    this.validator = first.validator;
  }

  async read(
    offsetBytes: number,
    sizeBytes: number,
    options: ReadOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#isDisposed) throw new AtomoeError('disposed', `${this.#url} was closed; open it again`);
    options.signal?.throwIfAborted();
    checkRange(this, offsetBytes, sizeBytes);
    const endBytes = offsetBytes + sizeBytes;
    if (endBytes <= this.#head.byteLength) return this.#head.slice(offsetBytes, endBytes);
    if (offsetBytes < this.#head.byteLength) return this.#readOn(offsetBytes, sizeBytes, options);
    const reply = await requestRange(this.#url, { offsetBytes, sizeBytes }, this.#http, options);
    if (reply.kind === 'absent') throw this.#changed('it is gone');
    if (reply.kind === 'whole') {
      if (reply.bytes.byteLength !== this.sizeBytes)
        throw this.#changed(`it has ${reply.bytes.byteLength} bytes`);
      this.#checkVersion(reply);
      this.#head = reply.bytes;
      return reply.bytes.slice(offsetBytes, endBytes);
    }
    if (reply.totalBytes !== undefined && reply.totalBytes !== this.sizeBytes) {
      throw this.#changed(`it has ${reply.totalBytes} bytes`);
    }
    this.#checkVersion(reply);
    return reply.bytes;
  }

  /** What the first window has is not sent again. */
  async #readOn(
    offsetBytes: number,
    sizeBytes: number,
    { signal, onProgress }: ReadOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = allocate(this.name, sizeBytes);
    const known = this.#head.subarray(offsetBytes);
    bytes.set(known);
    const report = onProgress && ((doneBytes: number) => onProgress(known.byteLength + doneBytes));
    const rest = await this.read(offsetBytes + known.byteLength, sizeBytes - known.byteLength, {
      signal,
      onProgress: report,
    });
    bytes.set(rest, known.byteLength);
    return bytes;
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#head = new Uint8Array(0);
  }

  #checkVersion({ validator }: FirstReply): void {
    if (validator === undefined || this.validator === undefined || validator === this.validator) return;
    // A server may leave the ETag out of some replies: then a date stands where it was, and says nothing.
    if (isEtag(validator) !== isEtag(this.validator)) return;
    throw this.#changed(`its version is ${validator} and was ${this.validator}`);
  }

  #changed(actual: string): AtomoeError {
    return new AtomoeError(
      'integrity',
      `${this.#url} changed while it was read: ${actual}, ${this.sizeBytes} bytes of one version were wanted; ` +
        `load the model again`,
    );
  }
}

function isEtag(validator: string): boolean {
  return /^(W\/)?"/.test(validator);
}

function hiddenSize(url: string, options?: ErrorOptions): AtomoeError {
  return new AtomoeError(
    'cors',
    `${url}: the server hides the file's size from this page; it must send Access-Control-Expose-Headers: ` +
      `Content-Range; use a host that does, or download the files and open them from disk`,
    options,
  );
}

function parseUrl(url: string): URL {
  try {
    const parsed = new URL(url);
    if (parsed.protocol === 'http:' || parsed.protocol === 'https:') return parsed;
  } catch {
    // falls through to the same sentence as a wrong scheme
  }
  throw new AtomoeError(
    'bad-input',
    `${JSON.stringify(url)} is not an http or https URL; give the address of a model folder or of a weight file`,
  );
}
