/** One file behind an address. */
import { AtomoeError } from '../errors.ts';
import { wrongRange } from './http-body.ts';
import { isSameVersion, type HttpTarget, type RangeRequest, type Reply, type Version } from './http-reply.ts';
import {
  requestRange,
  STALL_TIMEOUT_MS,
  waitingOf,
  type HttpOptions,
  type RequestOptions,
} from './http-request.ts';
import { redactCause } from './http-url.ts';
import { allocate, checkRange } from './read.ts';
import { SharedReads } from './shared-reads.ts';
import type { FileSource, ReadOptions } from './source.ts';

/** The first request of a file brings this much: all of a config, and most safetensors headers. */
const WINDOW_BYTES = 64 * 1024;

/** Read again to see whether the file is still the same, where the server does not say so. */
const SAMPLE_BYTES = 1024;

/** How a file behind a URL is read. */
export interface HttpFileOptions {
  readonly http: HttpOptions;
  readonly first: HttpOptions; // of the first request
  readonly mostBytes: number | undefined;
}

type Refused = Extract<Reply, { kind: 'refused' }>;

/**
 * Asks for a file's beginning.
 *
 * @returns undefined where there is no such file; the refusal where the server lets no one have it
 */
export async function openHttpFile(
  name: string,
  target: HttpTarget,
  { http, first: patient, mostBytes }: HttpFileOptions,
  signal: AbortSignal | undefined,
): Promise<HttpFile | Refused | undefined> {
  const window: RangeRequest = {
    offsetBytes: 0,
    sizeBytes: WINDOW_BYTES,
    isFirst: true,
    // Extensions of Chromium answer a range with 200 and that part of the file, as if it were all.
    isPlain: target.isLocal,
    fromStartBytes: WINDOW_BYTES,
    mostBytes,
  };
  const options = { signal, waiting: waitingOf(patient) };
  let reply = await requestRange(target, window, patient, options);
  if (reply.kind === 'encoded') {
    reply = await requestRange(target, { ...window, isPlain: true }, patient, options);
  }
  if (reply.kind === 'absent') return undefined;
  if (reply.kind === 'refused') return reply;
  if (reply.kind === 'encoded') throw wrongRange(target, window, 'a compressed part');
  if (looksLikePage(reply.bytes)) return undefined;
  const isShort = reply.kind === 'part' && reply.bytes.byteLength < WINDOW_BYTES;
  const totalBytes =
    reply.totalBytes ?? (isShort ? reply.bytes.byteLength : await headSize(target, http, signal));
  return new HttpFile(name, target, http, totalBytes, reply);
}

/** Hosts of single-page apps answer with their index page what they do not have, and some do not say that it is one. */
function looksLikePage(bytes: Uint8Array): boolean {
  const start = new TextDecoder().decode(bytes.subarray(0, 256)).replace(/^(\s|<!--.*?-->)+/s, '');
  return /^<(!doctype\s+html|html|head|body)[\s>]/i.test(start);
}

/** Content-Length is readable across origins where Content-Range is not. */
async function headSize(
  target: HttpTarget,
  http: HttpOptions,
  signal: AbortSignal | undefined,
): Promise<number> {
  try {
    const timeout = AbortSignal.timeout(http.stallTimeoutMs ?? STALL_TIMEOUT_MS);
    const response = await (http.fetch ?? fetch)(target.href, {
      method: 'HEAD',
      headers: { ...target.headers },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const sizeBytes = Number(response.headers.get('content-length') ?? Number.NaN);
    if (response.ok && sizeBytes >= WINDOW_BYTES) return sizeBytes;
  } catch (cause) {
    signal?.throwIfAborted();
    throw hiddenSize(target, { cause: redactCause(cause, target.secrets) });
  }
  throw hiddenSize(target);
}

type FirstReply = Extract<Reply, { kind: 'part' | 'start' }>;

/** Bytes of this version of the file, by which another one is seen. */
interface Sample {
  readonly offsetBytes: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A file behind a URL, read by ranges. */
export class HttpFile implements FileSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly validator: string | undefined;
  readonly #target: HttpTarget;
  readonly #http: HttpOptions;
  readonly #version: Version;
  readonly #tellsRanges: boolean;
  readonly #wholeReads = new SharedReads();
  #isRanged: boolean;
  #isProven: boolean; // the server was seen to send the part that was asked for
  #head: Uint8Array<ArrayBuffer>; // the first window, or the whole file
  #sample: Sample;
  #isDisposed = false;

  constructor(name: string, target: HttpTarget, http: HttpOptions, sizeBytes: number, first: FirstReply) {
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.validator = first.version.etag ?? first.version.modified;
    this.#target = target;
    this.#http = http;
    this.#version = first.version;
    this.#isRanged = first.kind === 'part';
    this.#tellsRanges = first.kind === 'part' && first.hasRange;
    this.#isProven = this.#tellsRanges;
    this.#head = first.bytes;
    this.#sample = sampleOf(0, first.bytes, first.bytes.byteLength);
  }

  /** False: every read beyond the beginning costs the whole file. */
  get isRanged(): boolean {
    return this.#isRanged || this.#head.byteLength === this.sizeBytes;
  }

  async read(
    offsetBytes: number,
    sizeBytes: number,
    options: ReadOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    return this.#read(offsetBytes, sizeBytes, { ...options, waiting: waitingOf(this.#http) });
  }

  async #read(offsetBytes: number, sizeBytes: number, options: RequestOptions) {
    if (this.#isDisposed)
      throw new AtomoeError('disposed', `${this.#target.label} was closed; open it again`);
    options.signal?.throwIfAborted();
    checkRange(this, offsetBytes, sizeBytes);
    const endBytes = offsetBytes + sizeBytes;
    if (endBytes <= this.#head.byteLength) return this.#head.slice(offsetBytes, endBytes);
    if (!this.#isRanged) return this.#readPlain(offsetBytes, sizeBytes, options);
    if (offsetBytes < this.#head.byteLength) return this.#readOn(offsetBytes, sizeBytes, options);
    return this.#readRange(offsetBytes, sizeBytes, options);
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#head = new Uint8Array(0);
  }

  /** What the first window has is not sent again. */
  async #readOn(
    offsetBytes: number,
    sizeBytes: number,
    { onProgress, ...options }: RequestOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = allocate(this.name, sizeBytes);
    const known = this.#head.subarray(offsetBytes);
    bytes.set(known);
    const report = onProgress && ((doneBytes: number) => onProgress(known.byteLength + doneBytes));
    const rest = await this.#read(offsetBytes + known.byteLength, sizeBytes - known.byteLength, {
      ...options,
      onProgress: report,
    });
    bytes.set(rest, known.byteLength);
    return bytes;
  }

  async #readRange(
    offsetBytes: number,
    sizeBytes: number,
    options: RequestOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#isProven) await this.#prove(options);
    // A server that has forgotten about ranges sends the file from its start.
    const fromStartBytes = options.isPeek === true ? offsetBytes + sizeBytes : this.sizeBytes;
    const reply = await this.#request({ offsetBytes, sizeBytes, fromStartBytes }, options);
    if (reply.kind === 'start') {
      this.#isRanged = false;
      this.#head = reply.bytes;
      return reply.bytes.slice(offsetBytes, offsetBytes + sizeBytes);
    }
    if (this.#tellsRanges && !reply.hasRange) {
      throw wrongRange(
        this.#target,
        { offsetBytes, sizeBytes, fromStartBytes },
        'a part without Content-Range',
      );
    }
    if (isSameVersion(reply.version, this.#version) === undefined) await this.#checkSample(options);
    if (sizeBytes > this.#sample.bytes.byteLength) {
      this.#sample = sampleOf(offsetBytes, reply.bytes, Math.ceil((sizeBytes + SAMPLE_BYTES) / 2));
    }
    return reply.bytes;
  }

  /** Without ranges: the beginning as far as it is wanted while somebody only looks, else the whole file, once for all. */
  async #readPlain(
    offsetBytes: number,
    sizeBytes: number,
    options: RequestOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (options.isPeek === true) {
      const begin = await this.#readFromStart(offsetBytes + sizeBytes, options);
      if (begin.byteLength > this.#head.byteLength) this.#head = begin;
      return begin.slice(offsetBytes, offsetBytes + sizeBytes);
    }
    // Who takes all of it keeps it.
    if (sizeBytes === this.sizeBytes) return this.#readFromStart(sizeBytes, options);
    const bytes = allocate(this.name, sizeBytes);
    await this.#wholeReads.read(offsetBytes, bytes, this.#readWhole, options, [0, this.sizeBytes]);
    return bytes;
  }

  readonly #readWhole = async (
    offsetBytes: number,
    sizeBytes: number,
    options: ReadOptions,
  ): Promise<Uint8Array> => {
    if (this.#head.byteLength < this.sizeBytes) {
      // Readers share this request: each waits with its own signal.
      const waiting = waitingOf(this.#http);
      this.#head = await this.#readFromStart(this.sizeBytes, { ...options, waiting });
    }
    return this.#head.subarray(offsetBytes, offsetBytes + sizeBytes);
  };

  async #readFromStart(endBytes: number, options: RequestOptions): Promise<Uint8Array<ArrayBuffer>> {
    const request = { offsetBytes: 0, sizeBytes: endBytes, fromStartBytes: endBytes, isPlain: true };
    const { bytes } = await this.#request(request, options);
    if (bytes.byteLength < endBytes) throw this.#changed(`it has ${bytes.byteLength} bytes`);
    const known = this.#head.subarray(0, endBytes);
    if (known.some((byte, i) => byte !== bytes[i])) throw this.#changed('it begins otherwise');
    return bytes;
  }

  /** A reply that is not of another version, as far as its headers tell. */
  async #request(request: RangeRequest, options: RequestOptions): Promise<FirstReply> {
    const reply = await requestRange(this.#target, request, this.#http, options);
    if (reply.kind === 'absent') throw this.#changed('it is gone');
    if (reply.kind === 'refused') throw reply.error;
    if (reply.kind === 'encoded') throw wrongRange(this.#target, request, 'a compressed part');
    if (reply.totalBytes !== undefined && reply.totalBytes !== this.sizeBytes) {
      throw this.#changed(`it has ${reply.totalBytes} bytes`);
    }
    if (isSameVersion(reply.version, this.#version) === false) {
      const told = (version: Version) => version.etag ?? version.modified;
      throw this.#changed(`its version is ${told(reply.version)} and was ${told(this.#version)}`);
    }
    return reply;
  }

  /** A part that does not say which it is may be any: bytes that are known already tell whether ranges are heard. */
  async #prove(options: RequestOptions): Promise<void> {
    const middle = Math.floor(this.#head.byteLength / 2);
    const sample = sampleOf(0, this.#head, middle);
    if (!(await this.#isStill(sample, options))) {
      const { offsetBytes } = sample;
      const request = { offsetBytes, sizeBytes: SAMPLE_BYTES, fromStartBytes: 0 };
      throw wrongRange(this.#target, request, 'other bytes, without Content-Range');
    }
    this.#isProven = true;
  }

  /** Whether the file is still the one that was opened, asked after a part has come. */
  async #checkSample(options: RequestOptions): Promise<void> {
    if (await this.#isStill(this.#sample, options)) return;
    throw this.#changed('bytes that were read before are others now');
  }

  async #isStill({ offsetBytes, bytes }: Sample, { signal, waiting }: RequestOptions): Promise<boolean> {
    const sizeBytes = bytes.byteLength;
    const request = { offsetBytes, sizeBytes, fromStartBytes: offsetBytes + sizeBytes };
    const reply = await this.#request(request, { signal, waiting });
    const again = reply.kind === 'part' ? reply.bytes : reply.bytes.subarray(offsetBytes);
    return again.byteLength === sizeBytes && again.every((byte, i) => byte === bytes[i]);
  }

  #changed(actual: string): AtomoeError {
    return new AtomoeError(
      'integrity',
      `${this.#target.label} changed while it was read: ${actual}, ${this.sizeBytes} bytes of one version were wanted; ` +
        `load the model again`,
    );
  }
}

/** The last bytes of a part before `endBytes` of it. */
function sampleOf(offsetBytes: number, part: Uint8Array, endBytes: number): Sample {
  const begin = Math.max(0, endBytes - SAMPLE_BYTES);
  return { offsetBytes: offsetBytes + begin, bytes: part.slice(begin, endBytes) };
}

function hiddenSize({ label }: HttpTarget, options?: ErrorOptions): AtomoeError {
  return new AtomoeError(
    'cors',
    `${label}: the server hides the file's size from this page; it must send Access-Control-Expose-Headers: ` +
      `Content-Range; use a host that does, or download the files and open them from disk`,
    options,
  );
}
