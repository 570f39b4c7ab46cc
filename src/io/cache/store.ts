/** One model's directory in local storage: what the cache knows of its files, and their bytes. It never rejects. */
import type { Extent } from './extents.ts';
import { copiesOf, dataFileName, DataFiles, FileCopy, recordsOf, replay } from './files.ts';
import type { Catalogue, KnownFile } from './files.ts';
import { findJournal, JournalWriter } from './journal.ts';
import type { FoundJournal } from './journal.ts';
import { CacheWriter } from './writer.ts';
import { hashOf } from '../hash.ts';
import { asFault, StorageFault } from '../storage.ts';
import type { DiskStorage, StorageLock } from '../storage.ts';

/** A longer read is stored as several extents: each is verified as a whole before any byte of it gets out. */
const MAX_EXTENT_BYTES = 4 * 2 ** 20;

const LOCK_RETRY_MS = 50;

/** The stored model of one key: its catalogue, its data files, and its lock. */
export class CacheStore {
  readonly #storage: DiskStorage;
  readonly #key: string;
  readonly #catalogue: Catalogue;
  readonly #files: DataFiles;
  #lock: StorageLock | undefined;
  #writer: CacheWriter | undefined;
  #fault: StorageFault | undefined;
  #isClosed = false;

  private constructor(
    storage: DiskStorage,
    key: string,
    catalogue: Catalogue,
    lock: StorageLock | undefined,
    fault: StorageFault | undefined,
  ) {
    this.#storage = storage;
    this.#key = key;
    this.#catalogue = catalogue;
    this.#files = new DataFiles(storage, key, lock ? 'write' : 'read');
    this.#lock = lock;
    this.#fault = fault;
  }

  /** Opens a model's directory for writing, or where that cannot be within `lockTimeoutMs`, for reading. */
  static async open(
    storage: DiskStorage,
    key: string,
    label: string,
    lockTimeoutMs: number,
  ): Promise<CacheStore> {
    let fault: StorageFault | undefined;
    const note = (cause: unknown) => {
      fault ??= asFault(cause);
      return undefined;
    };
    const lock = await lockWithin(storage, key, lockTimeoutMs).catch(note);
    const found = await findJournal(storage, key).catch(note);
    const catalogue = replay(found?.records ?? []);
    const store = new CacheStore(storage, key, catalogue, lock, fault);
    if (lock && !fault)
      await store.#beginWriting(label, found).catch((cause) => store.#onStop(asFault(cause)));
    return store;
  }

  get isWritable(): boolean {
    return this.#writer?.isStopped === false && !this.#isClosed;
  }

  /** Why nothing is written any more. */
  get fault(): StorageFault | undefined {
    return this.#fault;
  }

  get storedBytes(): number {
    return copiesOf(this.#catalogue).reduce((sum, { extents }) => sum + extents.storedBytes, 0);
  }

  get totalBytes(): number {
    return copiesOf(this.#catalogue).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  get writtenBytes(): number {
    return this.#writer?.writtenBytes ?? 0;
  }

  known(file: string): KnownFile | undefined {
    return this.#catalogue.files.get(file);
  }

  /** The copy of the version that the source has. What was stored of another one is dropped. */
  copyOf(file: string, sizeBytes: number, validator: string): FileCopy {
    const known = this.known(file);
    const isCopy = known !== undefined && known !== 'absent';
    if (isCopy && known.sizeBytes === sizeBytes && known.validator === validator) return known;
    const copy = new FileCopy({ file, sizeBytes, validator, id: this.#catalogue.nextId++ });
    this.#replace(file, copy);
    this.#writer?.push({ kind: 'record', record: copy.record });
    this.#deleteCopy(known);
    return copy;
  }

  noteAbsent(file: string): void {
    const known = this.known(file);
    if (known === 'absent') return;
    this.#replace(file, 'absent');
    this.#writer?.push({ kind: 'record', record: { kind: 'absent', file } });
    this.#deleteCopy(known);
  }

  /** Takes bytes that came from the source. They are the store's from now on. */
  put(copy: FileCopy, offsetBytes: number, bytes: Uint8Array<ArrayBuffer>): void {
    if (!this.isWritable || copy.isDetached) return;
    for (let begin = 0; begin < bytes.byteLength; begin += MAX_EXTENT_BYTES) {
      const part = bytes.subarray(begin, begin + MAX_EXTENT_BYTES);
      const place = { offsetBytes: offsetBytes + begin, sizeBytes: part.byteLength, at: 0, hash: '' };
      const extent: Extent = { ...place, bytes: part, isVerified: false, isDropped: false };
      copy.extents.add(extent);
      this.#writer?.push({ kind: 'extent', copy, extent });
    }
  }

  /**
   * Fills `into` with the bytes of an extent from `offsetBytes` (of the file) on.
   *
   * @returns false when they are damaged or gone; then the extent is forgotten
   */
  async load(
    copy: FileCopy,
    extent: Extent,
    offsetBytes: number,
    into: Uint8Array<ArrayBuffer>,
  ): Promise<boolean> {
    const { id } = copy;
    const skipBytes = offsetBytes - extent.offsetBytes;
    if (extent.bytes) {
      into.set(extent.bytes.subarray(skipBytes, skipBytes + into.byteLength));
      return true;
    }
    try {
      const isGood = await this.#read(id, extent, skipBytes, into);
      if (isGood && !extent.isDropped) return true;
      this.#dropExtent(copy, extent);
    } catch (cause) {
      this.#onReadFault(copy, id, extent, asFault(cause));
    }
    return false;
  }

  /** Forgets what is stored of a range: it came damaged. */
  forget(copy: FileCopy, offsetBytes: number, sizeBytes: number): void {
    for (const { extent } of copy.extents.cut(offsetBytes, sizeBytes)) {
      if (extent) this.#dropExtent(copy, extent);
    }
  }

  /** Resolves when few enough bytes wait to be written. */
  async settle(): Promise<void> {
    await this.#writer?.settle();
  }

  async flush(): Promise<void> {
    await this.#writer?.flush();
  }

  /** Writes what waits, and lets go of the directory. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const ignore = () => undefined; // nothing is left to be done about it
    await this.#writer?.close().catch(ignore);
    await this.#files.closeAll();
    await Promise.resolve(this.#lock?.release()).catch(ignore);
  }

  async #beginWriting(label: string, found: FoundJournal | undefined): Promise<void> {
    const hasLost = await this.#reconcile();
    this.#catalogue.usedAtMs = Date.now();
    const live = recordsOf(this.#catalogue);
    const garbage = (found?.records.length ?? 0) + 1 - live.length;
    const isKept = found?.head.label === label && !hasLost && garbage <= 16 + live.length / 4;
    const journal = isKept
      ? await JournalWriter.resume(this.#storage, this.#key, found)
      : await JournalWriter.begin(this.#storage, this.#key, label, live, found);
    this.#writer = new CacheWriter(journal, this.#files, {
      onGone: (copy, id) => this.#renew(copy, id),
      onStop: (fault) => this.#onStop(fault),
    });
    const { usedAtMs } = this.#catalogue;
    if (isKept) this.#writer.push({ kind: 'record', record: { kind: 'used', atMs: usedAtMs } });
  }

  /** Compares the journal with the files that are there. @returns whether any of its extents has no bytes */
  async #reconcile(): Promise<boolean> {
    const files = await this.#storage.files(this.#key);
    const sizes = new Map(files.map(({ name, sizeBytes }) => [name, sizeBytes]));
    let hasLost = false;
    for (const copy of copiesOf(this.#catalogue)) {
      const name = dataFileName(copy.id);
      const sizeBytes = sizes.get(name) ?? 0;
      sizes.delete(name);
      for (const extent of [...copy.extents]) {
        if (extent.at + extent.sizeBytes <= sizeBytes) continue;
        copy.extents.drop(extent);
        hasLost = true;
      }
    }
    // Nothing names them: the writer was interrupted, or their journal is lost.
    const orphans = [...sizes.keys()].filter((name) => name.endsWith('.bin'));
    for (const name of orphans) await this.#storage.deleteFile(this.#key, name);
    return hasLost;
  }

  async #read(
    id: number,
    extent: Extent,
    skipBytes: number,
    into: Uint8Array<ArrayBuffer>,
  ): Promise<boolean> {
    const file = await this.#files.get(id);
    if (!file) throw new StorageFault('gone', `${dataFileName(id)} is not there`);
    const { at, sizeBytes, hash } = extent;
    // Without the lock another tab may have put other bytes there since they were verified.
    if (extent.isVerified && this.#lock) {
      return (await file.read(into, at + skipBytes)) === into.byteLength;
    }
    const whole = into.byteLength === sizeBytes ? into : new Uint8Array(sizeBytes);
    if ((await file.read(whole, at)) !== sizeBytes || (await hashOf(whole)) !== hash) return false;
    if (whole !== into) into.set(whole.subarray(skipBytes, skipBytes + into.byteLength));
    extent.isVerified = true;
    return true;
  }

  #onReadFault(copy: FileCopy, id: number, extent: Extent, { kind }: StorageFault): void {
    if (kind === 'gone') this.#renew(copy, id);
    // Beside a writer a read may fail by bad luck: the next one may succeed.
    else if (this.#lock) this.#dropExtent(copy, extent);
  }

  #dropExtent(copy: FileCopy, extent: Extent): void {
    if (extent.isDropped) return;
    copy.extents.drop(extent);
    const { offsetBytes } = extent;
    if (this.isWritable)
      this.#writer?.push({ kind: 'record', record: { kind: 'drop', id: copy.id, offsetBytes } });
  }

  /** Forgets all bytes of a copy whose data file is gone, and lets it begin another. */
  #renew(copy: FileCopy, goneId: number): void {
    if (copy.id !== goneId) return; // another read has found it out
    copy.extents.dropAll();
    if (!this.isWritable || copy.isDetached) return;
    copy.id = this.#catalogue.nextId++;
    copy.endBytes = 0;
    this.#writer?.push({ kind: 'record', record: copy.record });
    this.#writer?.push({ kind: 'delete', id: goneId });
  }

  #replace(file: string, known: KnownFile): void {
    const old = this.known(file);
    if (old && old !== 'absent') {
      old.isDetached = true;
      old.extents.dropAll();
    }
    this.#catalogue.files.set(file, known);
  }

  /** The record that replaces it is pushed before: a data file outlives its last record, never the other way round. */
  #deleteCopy(known: KnownFile | undefined): void {
    if (known && known !== 'absent') this.#writer?.push({ kind: 'delete', id: known.id });
  }

  #onStop(fault: StorageFault): void {
    this.#fault ??= fault;
  }
}

/** Tries again while somebody else holds the lock, for at most `timeoutMs`. */
async function lockWithin(storage: DiskStorage, key: string, timeoutMs: number): Promise<StorageLock> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await storage.lock(key);
    } catch (cause) {
      if (asFault(cause).kind !== 'locked' || performance.now() >= untilMs) throw cause;
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
  }
}
