/**
 * A folder whose bytes stay on the local disk once they were read. Reads are answered from there where they can be, else
 * the missing gaps, and only they, come from the source. So any source survives a reload, and a model whose bytes are
 * all there opens without its source.
 *
 * Each stored range has a hash, and is compared with it before the first of its bytes gets out. Nothing that goes wrong
 * with the storage is ever an error of a read: the cache then does less, and its status says why.
 */
import { AtomoeError } from '../../errors.ts';
import type { FileCopy, KnownFile } from './files.ts';
import { CacheStore } from './store.ts';
import { hashOf, hashOfText } from '../hash.ts';
import { pathSegments } from '../names.ts';
import { allocate, checkRange, readExactly } from '../read.ts';
import { unlessAborted } from '../shared-reads.ts';
import { factsOf } from '../source.ts';
import type { FileSource, FolderSource, OpenFileOptions, ReadOptions } from '../source.ts';
import type { DiskStorage, StorageFaultKind } from '../storage.ts';

/** Why nothing is written. */
export interface CacheFault {
  readonly code: 'storage-full' | 'storage-locked' | 'storage-unavailable' | 'storage-failed';
  readonly message: string;
}

/** What is stored of a model, and whether more can be. */
export interface CacheStatus {
  readonly key: string; // of the model, for `model-store.ts`
  readonly storedBytes: number; // can be read without the source
  readonly totalBytes: number; // of all files that were opened
  readonly writtenBytes: number; // in this session
  readonly hitBytes: number; // read in this session from the disk
  readonly missBytes: number; // read in this session from the source
  readonly isReadOnly: boolean;
  readonly why: CacheFault | undefined; // undefined while it can be written
}

/** The cache behind a folder. */
export interface DiskCache {
  readonly status: CacheStatus;
  /** Writes what still waits for it: reads do not wait for the disk. */
  flush(): Promise<void>;
}

/** A folder whose reads are kept on disk. */
export interface CachedFolder extends FolderSource {
  readonly cache: DiskCache;
  /** Writes what waits, and lets another tab write. Files that were opened cannot be read any more. */
  dispose(): Promise<void>;
}

/** How a model is identified, and where it is kept. */
export interface CacheOptions {
  /** What the model is known by from one session to the next. Default: its URL, without what signs it. */
  identity?: string;
  /**
   * How long to wait for somebody else who writes there and may be about to leave: the worker of a page that was just
   * reloaded holds its lock while it ends. After that the cache only reads. Default 0.
   */
  lockTimeoutMs?: number;
}

/**
 * Puts a disk cache before a folder. While it is open, other tabs can only read what it stores.
 *
 * ```ts
 * const folder = await cachedFolder(openFolder(url), await openOpfs());
 * ```
 */
export async function cachedFolder(
  folder: FolderSource,
  storage: DiskStorage,
  { identity = folder.identity ?? folder.label, lockTimeoutMs = 0 }: CacheOptions = {},
): Promise<CachedFolder> {
  const key = await modelKey(identity);
  const cache = new Cache(folder, key, await CacheStore.open(storage, key, folder.label, lockTimeoutMs));
  return {
    ...factsOf(folder),
    cache,
    open: (name, options) => cache.open(name, options),
    dispose: () => cache.dispose(),
  };
}

/** The directory of a model, by what it is known by. */
export async function modelKey(identity: string): Promise<string> {
  // Where there is no hashing (an insecure page) there is no storage either.
  return canHash() ? hashOfText(identity) : '';
}

class Cache implements DiskCache {
  readonly #folder: FolderSource;
  readonly #key: string;
  readonly #store: CacheStore;
  #hitBytes = 0;
  #missBytes = 0;
  /** The source did not answer: what is known of its files is used without asking it again. */
  #isOffline = false;
  #isDisposed = false;

  constructor(folder: FolderSource, key: string, store: CacheStore) {
    this.#folder = folder;
    this.#key = key;
    this.#store = store;
  }

  get label(): string {
    return this.#folder.label;
  }

  get status(): CacheStatus {
    const { storedBytes, totalBytes, writtenBytes, isWritable, fault } = this.#store;
    return {
      key: this.#key,
      storedBytes,
      totalBytes,
      writtenBytes,
      hitBytes: this.#hitBytes,
      missBytes: this.#missBytes,
      isReadOnly: !isWritable,
      why: fault && { code: FAULT_CODES[fault.kind], message: fault.message },
    };
  }

  async open(name: string, options: OpenFileOptions = {}): Promise<FileSource | undefined> {
    const { signal, mostBytes } = options;
    signal?.throwIfAborted();
    this.checkOpen();
    pathSegments(name, this.label);
    const known = this.#store.known(name);
    if (known && this.#isOffline) return this.#openStored(known);
    try {
      const patience = known && isWhole(known) ? 'short' : undefined;
      // What is here is used where the source refuses it, and it is no longer asked whether it is there.
      const isOptional = options.isOptional === true && (known === undefined || known === 'absent');
      const found = await this.openSource(name, { signal, patience, isOptional, mostBytes });
      if (found) {
        const { source, validator } = found;
        return new CachedFile(
          this,
          this.#store,
          this.#store.copyOf(name, source.sizeBytes, validator),
          source,
        );
      }
      this.#store.noteAbsent(name);
      return undefined;
    } catch (error) {
      if (!known || !isUnanswered(error)) throw error;
      this.#isOffline = true;
      return this.#openStored(known);
    }
  }

  /** Asks the source for a file, and by what to recognise this version of it. */
  async openSource(
    name: string,
    options: OpenFileOptions,
  ): Promise<{ source: FileSource; validator: string } | undefined> {
    const source = await this.#folder.open(name, options);
    if (!source) return undefined;
    try {
      const validator = source.validator ?? (await sampledValidator(source, options.signal));
      this.#isOffline = false;
      return { source, validator };
    } catch (error) {
      source.dispose?.();
      throw error;
    }
  }

  checkOpen(): void {
    if (!this.#isDisposed) return;
    throw new AtomoeError('disposed', `${this.label}: the folder's disk cache was closed; open it again`);
  }

  countHit(sizeBytes: number): void {
    this.#hitBytes += sizeBytes;
  }

  countMiss(sizeBytes: number): void {
    this.#missBytes += sizeBytes;
  }

  flush(): Promise<void> {
    return this.#store.flush();
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#store.close();
  }

  #openStored(known: KnownFile): FileSource | undefined {
    return known === 'absent' ? undefined : new CachedFile(this, this.#store, known, undefined);
  }
}

/** The source did not give the file, and did not say that it has none. */
function isUnanswered(error: unknown): boolean {
  return error instanceof AtomoeError && (error.code === 'network' || error.code === 'cors');
}

/** Whether all that is to be known of a file is known here. */
function isWhole(known: KnownFile): boolean {
  return known === 'absent' || known.extents.storedBytes === known.sizeBytes;
}

/** A file of one version. Its source is opened when bytes are missing, if it was not at first. */
class CachedFile implements FileSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly validator: string;
  readonly #cache: Cache;
  readonly #store: CacheStore;
  readonly #copy: FileCopy;
  #source: FileSource | undefined;
  #opening: Promise<FileSource> | undefined;
  #isDisposed = false;

  constructor(cache: Cache, store: CacheStore, copy: FileCopy, source: FileSource | undefined) {
    this.name = source?.name ?? copy.file;
    this.sizeBytes = copy.sizeBytes;
    this.validator = copy.validator;
    this.#cache = cache;
    this.#store = store;
    this.#copy = copy;
    this.#source = source;
  }

  async read(
    offsetBytes: number,
    sizeBytes: number,
    { signal, onProgress, isPeek }: ReadOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    signal?.throwIfAborted();
    this.#cache.checkOpen();
    if (this.#isDisposed) throw new AtomoeError('disposed', `${this.name} was closed; open it again`);
    checkRange(this, offsetBytes, sizeBytes);
    const out = allocate(this.name, sizeBytes);
    await this.#fill(offsetBytes, out, { signal, onProgress, isPeek });
    await unlessAborted(this.#store.settle(), signal);
    return out;
  }

  forget(offsetBytes: number, sizeBytes: number): void {
    this.#store.forget(this.#copy, offsetBytes, sizeBytes);
    this.#source?.forget?.(offsetBytes, sizeBytes);
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#source?.dispose?.();
  }

  async #fill(
    offsetBytes: number,
    out: Uint8Array<ArrayBuffer>,
    { signal, onProgress, isPeek }: ReadOptions,
  ): Promise<void> {
    const pieces = this.#copy.extents.cut(offsetBytes, out.byteLength);
    const failed = new AbortController(); // one piece that fails ends the others
    const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
    const doneBytes = pieces.map(() => 0);
    const fillOne = async (piece: (typeof pieces)[number], i: number) => {
      const report = (done: number) => {
        doneBytes[i] = done;
        onProgress?.(doneBytes.reduce((sum, part) => sum + part, 0));
      };
      const begin = piece.offsetBytes - offsetBytes;
      const into = out.subarray(begin, begin + piece.sizeBytes);
      const { extent } = piece;
      if (extent && (await this.#store.load(this.#copy, extent, piece.offsetBytes, into))) {
        either.throwIfAborted();
        this.#cache.countHit(piece.sizeBytes);
        report(piece.sizeBytes);
        return;
      }
      const options = { signal: either, onProgress: report };
      const start = (begin: number, size: number, shared: ReadOptions) =>
        this.#readSource(begin, size, { ...shared, isPeek });
      await this.#copy.reads.read(piece.offsetBytes, into, start, options, this.#span(isPeek));
    };
    try {
      await Promise.all(pieces.map(fillOne));
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  }

  /** A source without ranges is read whole, once, where it can be kept. */
  #span(isPeek: boolean | undefined): [begin: number, end: number] | undefined {
    const isWhole = this.#source?.isRanged === false && isPeek !== true && this.#store.isWritable;
    return isWhole ? [0, this.sizeBytes] : undefined;
  }

  async #readSource(offsetBytes: number, sizeBytes: number, options: ReadOptions): Promise<Uint8Array> {
    const source = this.#source ?? (await this.#reopen());
    const bytes = await readExactly(source, offsetBytes, sizeBytes, { ...options, chunkBytes: Infinity });
    this.#cache.countMiss(sizeBytes);
    this.#store.put(this.#copy, offsetBytes, bytes);
    return bytes;
  }

  /** Of where missing bytes would come from. */
  get isRanged(): boolean {
    return this.#source?.isRanged ?? true;
  }

  #reopen(): Promise<FileSource> {
    this.#opening ??= this.#openSame().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** No signal: other readers wait for it too. */
  async #openSame(): Promise<FileSource> {
    const found = await this.#cache.openSource(this.#copy.file, {});
    if (!found) throw this.#changed('it is gone');
    const { source, validator } = found;
    if (source.sizeBytes !== this.sizeBytes || validator !== this.validator) {
      source.dispose?.();
      throw this.#changed(`it has ${source.sizeBytes} bytes of version ${validator}`);
    }
    this.#source = source;
    return source;
  }

  #changed(actual: string): AtomoeError {
    return new AtomoeError(
      'integrity',
      `${this.#cache.label}: ${this.name} changed since a part of it was stored: ${actual}, ${this.sizeBytes} bytes of ` +
        `version ${this.validator} were wanted; load the model again`,
    );
  }
}

const FAULT_CODES: Readonly<Record<StorageFaultKind, CacheFault['code']>> = {
  full: 'storage-full',
  locked: 'storage-locked',
  gone: 'storage-failed',
  unavailable: 'storage-unavailable',
  failed: 'storage-failed',
};

/** A source that does not tell versions apart is known by its beginning, which an HTTP source has read already, ... */
const HEAD_BYTES = 64 * 1024;
/** ... and by a little of its middle and of its end: models of one architecture begin alike. */
const SAMPLE_BYTES = 1024;

async function sampledValidator(source: FileSource, signal: AbortSignal | undefined): Promise<string> {
  if (!canHash()) return '';
  const { sizeBytes } = source;
  const head = await source.read(0, Math.min(HEAD_BYTES, sizeBytes), { signal });
  // Without ranges any more of it would be all of it; then all of it comes at once, and is of one version.
  if (sizeBytes <= HEAD_BYTES || source.isRanged === false) return `head:${await hashOf(head)}`;
  const places = [Math.floor(sizeBytes / 2), sizeBytes - SAMPLE_BYTES];
  const samples = await Promise.all(places.map((at) => source.read(at, SAMPLE_BYTES, { signal })));
  const hashes = await Promise.all([head, ...samples].map(hashOf));
  return `samples:${hashes.join('')}`;
}

function canHash(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}
