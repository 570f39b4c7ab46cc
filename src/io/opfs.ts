/**
 * The origin private file system of browsers. Writing needs synchronous handles, which only dedicated workers have: in
 * a window, or beside another tab that holds a file, it can only be read. Cross-origin isolation is not needed.
 */
import { blobBytes } from './blob-bytes.ts';
import { noStorage, StorageFault } from './storage.ts';
import type { DiskStorage, MaybePromise, StorageLock, StoredEntry, StoredFile } from './storage.ts';

/** Absent from TypeScript's types of a window. Older Safaris answer some of it by promises. */
interface SyncAccessHandle {
  getSize(): MaybePromise<number>;
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(sizeBytes: number): MaybePromise<void>;
  flush(): MaybePromise<void>;
  close(): MaybePromise<void>;
}
type LockableHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncAccessHandle> };

const LOCK_FILE = 'lock';

/**
 * Opens a directory of the origin private file system, and never fails: where there is none (some private windows, an
 * insecure page), the storage that comes back refuses everything and says why.
 */
export async function openOpfs(name = 'atomoe'): Promise<DiskStorage> {
  try {
    const root = await navigator.storage.getDirectory();
    const parent = await root.getDirectoryHandle(name, { create: true });
    // Two tabs at once must not choose twice.
    return new OpfsStorage(await navigator.locks.request(`atomoe-opfs:${name}`, () => openEpoch(parent)));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return noStorage(`this browser gives the page no file storage (${why})`);
  }
}

/**
 * The one directory of a random name, in which everything is. When the user clears the site's data under an open cache,
 * Chromium 156 keeps the paths of its files locked until the browser is restarted: under a new name they are others.
 */
async function openEpoch(parent: FileSystemDirectoryHandle): Promise<FileSystemDirectoryHandle> {
  for await (const entry of parent.values()) {
    if (entry.kind === 'directory') return entry as FileSystemDirectoryHandle;
  }
  return parent.getDirectoryHandle(crypto.randomUUID(), { create: true });
}

class OpfsStorage implements DiskStorage {
  readonly #root: FileSystemDirectoryHandle;

  constructor(root: FileSystemDirectoryHandle) {
    this.#root = root;
  }

  async directories(): Promise<string[]> {
    return guarded(async () => {
      const names: string[] = [];
      const list = async () => {
        for await (const entry of this.#root.values()) if (entry.kind === 'directory') names.push(entry.name);
      };
      await absentIsUndefined(list()); // the user may have cleared everything
      return names;
    });
  }

  async files(directory: string): Promise<StoredEntry[]> {
    return guarded(async () => {
      const parent = await absentIsUndefined(this.#root.getDirectoryHandle(directory));
      if (!parent) return [];
      const handles: FileSystemFileHandle[] = [];
      for await (const entry of parent.values()) {
        if (entry.kind === 'file' && entry.name !== LOCK_FILE) handles.push(entry as FileSystemFileHandle);
      }
      const sizeOf = async (handle: FileSystemFileHandle) => (await handle.getFile()).size;
      return Promise.all(
        handles.map(async (handle) => ({ name: handle.name, sizeBytes: await sizeOf(handle) })),
      );
    });
  }

  open(directory: string, name: string, access: 'read'): Promise<StoredFile | undefined>;
  open(directory: string, name: string, access: 'write'): Promise<StoredFile>;
  async open(directory: string, name: string, access: 'read' | 'write'): Promise<StoredFile | undefined> {
    return guarded(async () => {
      if (access === 'write') return this.#openLocked(directory, name);
      const parent = await absentIsUndefined(this.#root.getDirectoryHandle(directory));
      const handle = parent && (await absentIsUndefined(parent.getFileHandle(name)));
      return handle && new SharedFile(handle);
    });
  }

  async deleteFile(directory: string, name: string): Promise<void> {
    return guarded(async () => {
      const parent = await absentIsUndefined(this.#root.getDirectoryHandle(directory));
      if (parent) await absentIsUndefined(parent.removeEntry(name));
    });
  }

  async deleteDirectory(directory: string): Promise<void> {
    // The lock goes first: it refuses while a worker holds it, when nothing is lost yet.
    await this.deleteFile(directory, LOCK_FILE);
    return guarded(() => absentIsUndefined(this.#root.removeEntry(directory, { recursive: true })));
  }

  async lock(directory: string): Promise<StorageLock> {
    const file = await guarded(() => this.#openLocked(directory, LOCK_FILE));
    return { release: () => file.close() };
  }

  async estimate(): Promise<{ usageBytes: number; quotaBytes: number | undefined }> {
    const { usage = 0, quota } = await guarded(() => navigator.storage.estimate());
    return { usageBytes: usage, quotaBytes: quota };
  }

  async persist(): Promise<boolean> {
    const { storage } = navigator;
    // In a worker only the question is there, in some browsers not even that.
    return guarded(async () => (await storage.persisted?.()) || ((await storage.persist?.()) ?? false));
  }

  async #openLocked(directory: string, name: string): Promise<LockedFile> {
    if (!('createSyncAccessHandle' in FileSystemFileHandle.prototype)) {
      throw new StorageFault('unavailable', 'files can be written in a dedicated worker only, this is none');
    }
    const parent = await this.#root.getDirectoryHandle(directory, { create: true });
    const handle = (await parent.getFileHandle(name, { create: true })) as LockableHandle;
    return new LockedFile(handle, await handle.createSyncAccessHandle());
  }
}

/** A file that is ours alone. */
class LockedFile implements StoredFile {
  readonly #file: FileSystemFileHandle;
  readonly #handle: SyncAccessHandle;

  constructor(file: FileSystemFileHandle, handle: SyncAccessHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  size(): Promise<number> {
    return guarded(async () => this.#handle.getSize());
  }

  read(into: Uint8Array, offsetBytes: number): Promise<number> {
    return guarded(async () => {
      const bytesRead = this.#handle.read(into, { at: offsetBytes });
      if (bytesRead > into.byteLength) throw numberFault(bytesRead);
      return bytesRead;
    });
  }

  write(bytes: Uint8Array, offsetBytes: number): Promise<void> {
    return guarded(async () => {
      const written = this.#handle.write(bytes, { at: offsetBytes });
      if (written > bytes.byteLength) throw numberFault(written);
      if (written < bytes.byteLength) {
        throw new StorageFault('full', `the browser took ${written} of ${bytes.byteLength} bytes`);
      }
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    return guarded(async () => this.#handle.truncate(sizeBytes));
  }

  flush(): Promise<void> {
    return guarded(async () => this.#handle.flush());
  }

  /**
   * A handle is left open when the user has cleared the site's data under it: in Chromium 156 its `close()` would block
   * the worker for ever. It ends with the worker.
   */
  close(): Promise<void> {
    return guarded(async () => {
      const isThere = await absentIsUndefined(this.#file.getFile());
      if (isThere) await this.#handle.close();
    });
  }
}

/** How often a snapshot is taken anew when a writer makes it stale. */
const SNAPSHOT_ATTEMPTS = 3;

/** A file that another tab may be writing. */
class SharedFile implements StoredFile {
  readonly #handle: FileSystemFileHandle;

  constructor(handle: FileSystemFileHandle) {
    this.#handle = handle;
  }

  size(): Promise<number> {
    return guarded(async () => (await this.#handle.getFile()).size);
  }

  read(into: Uint8Array, offsetBytes: number): Promise<number> {
    return guarded(async () => {
      const bytes = await this.#snapshot(offsetBytes, into.byteLength);
      into.set(bytes);
      return bytes.byteLength;
    });
  }

  async write(): Promise<void> {
    throw readOnly();
  }

  async truncate(): Promise<void> {
    throw readOnly();
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  /** A `File` cannot be read any more once somebody has written to it: then the next one can. */
  async #snapshot(offsetBytes: number, sizeBytes: number): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt++) {
      const file = await this.#handle.getFile();
      try {
        return await blobBytes(file.slice(offsetBytes, offsetBytes + sizeBytes));
      } catch (cause) {
        if (attempt >= SNAPSHOT_ATTEMPTS) throw cause;
      }
    }
  }
}

function readOnly(): StorageFault {
  return new StorageFault('unavailable', 'this file is open for reading only');
}

/**
 * Where others throw, the handles of Chromium's private windows return its error number, a small negative one, without
 * its sign. (Seen in Chromium 156: -8 at a full quota, -4 after the site's data was cleared.)
 */
function numberFault(returned: number): StorageFault {
  const number = returned - 2 ** 32;
  return new StorageFault(number === NO_SPACE ? 'full' : 'gone', `the browser answered error ${number}`);
}

const NO_SPACE = -8; // FILE_ERROR_NO_SPACE of Chromium's base/files/file.h

/** Whatever the browser throws, as a fault. */
async function guarded<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw faultOf(cause);
  }
}

function faultOf(cause: unknown): StorageFault {
  if (cause instanceof StorageFault) return cause;
  const { name, message } = cause instanceof Error ? cause : new Error(String(cause));
  const fault = (kind: StorageFault['kind']) => new StorageFault(kind, `${name}: ${message}`, { cause });
  switch (name) {
    case 'QuotaExceededError':
      return fault('full');
    case 'NoModificationAllowedError':
      return new StorageFault('locked', 'another tab or worker of this site writes there', { cause });
    case 'NotFoundError':
    case 'InvalidStateError': // a handle whose file was deleted under it
      return fault('gone');
    default:
      return fault('failed');
  }
}

async function absentIsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  return promise.catch((cause: unknown) => {
    if (cause instanceof DOMException && cause.name === 'NotFoundError') return undefined;
    throw cause;
  });
}
