/**
 * Local storage as the disk cache sees it: directories, one level deep, of files that are read and written anywhere.
 * The browser's is `opfs.ts`, Node's is `node-storage.ts`. (`Storage` itself is the name of the DOM's localStorage.)
 */

/** What an implementation can do at once it need not wrap into a promise. */
export type MaybePromise<T> = T | Promise<T>;

/** One open file. Every method rejects with StorageFault, and with nothing else. */
export interface StoredFile {
  size(): MaybePromise<number>;
  /** Fills `into` from `offsetBytes` on. @returns the bytes read: fewer than asked for at the end of the file */
  read(into: Uint8Array<ArrayBuffer>, offsetBytes: number): MaybePromise<number>;
  /** Writes all of `bytes`, or rejects. */
  write(bytes: Uint8Array<ArrayBuffer>, offsetBytes: number): MaybePromise<void>;
  truncate(sizeBytes: number): MaybePromise<void>;
  /** What was written survives a crash once this is done. */
  flush(): MaybePromise<void>;
  close(): MaybePromise<void>;
}

/** A stored file. */
export interface StoredEntry {
  readonly name: string;
  readonly sizeBytes: number;
}

/** Bytes in use, and bytes allowed. */
export interface StorageEstimate {
  readonly usageBytes: number; // of everything of this origin, or of this folder in Node
  readonly quotaBytes: number | undefined; // undefined: not reported
}

/** Held until `release()`, or until its worker or process ends. */
export interface StorageLock {
  release(): MaybePromise<void>;
}

/** Every method rejects with StorageFault, and with nothing else. */
export interface DiskStorage {
  directories(): Promise<readonly string[]>;
  /** The files of a directory; none where there is no such directory. */
  files(directory: string): Promise<readonly StoredEntry[]>;
  /**
   * Opens a file. `'write'` makes it, and its directory, where it is missing, and needs the directory's lock; `'read'`
   * works beside a writer.
   *
   * @returns undefined when there is no such file to read
   */
  open(directory: string, name: string, access: 'read'): Promise<StoredFile | undefined>;
  open(directory: string, name: string, access: 'write'): Promise<StoredFile>;
  /** Deletes a file of which nothing is open. One that is missing is fine. */
  deleteFile(directory: string, name: string): Promise<void>;
  /** Deletes a directory and all in it; rejects with `locked` while somebody holds its lock. */
  deleteDirectory(directory: string): Promise<void>;
  /** Makes the caller the directory's only writer; rejects with `locked` while somebody else is. */
  lock(directory: string): Promise<StorageLock>;
  estimate(): Promise<StorageEstimate>;
  /** Asks that the storage be kept when the disk runs full. @returns whether it will be */
  persist(): Promise<boolean>;
}

/** Why storage failed. */
export type StorageFaultKind =
  | 'full' // quota or disk
  | 'locked' // another tab, worker or process writes there
  | 'gone' // the file or its directory was deleted
  | 'unavailable' // there is no storage here, or none that can be written
  | 'failed'; // anything else

/** What storage rejects with. It stays inside io/: the cache survives it, and `model-store.ts` translates it. */
export class StorageFault extends Error {
  override readonly name = 'StorageFault';
  readonly kind: StorageFaultKind;

  constructor(kind: StorageFaultKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Whatever was thrown, as a fault. */
export function asFault(cause: unknown): StorageFault {
  if (cause instanceof StorageFault) return cause;
  return new StorageFault('failed', cause instanceof Error ? cause.message : String(cause), { cause });
}

/** Used where there is nothing to store in, such as some private windows: a cache over it only passes through. */
export function noStorage(why: string): DiskStorage {
  const refuse = async () => {
    throw new StorageFault('unavailable', why);
  };
  return {
    directories: async () => [],
    files: async () => [],
    open: refuse,
    deleteFile: async () => {},
    deleteDirectory: async () => {},
    lock: refuse,
    estimate: async () => ({ usageBytes: 0, quotaBytes: 0 }),
    persist: async () => false,
  };
}
