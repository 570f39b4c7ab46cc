/** A folder of the local disk as the cache's storage, for Node. Browser entry points must not import this file. */
import type { FileHandle } from 'node:fs/promises';
import { asFault, StorageFault } from './storage.ts';
import type { DiskStorage, StorageEstimate, StorageLock, StoredEntry, StoredFile } from './storage.ts';

/** Opens a storage folder. It is made when the first model is stored. */
export async function openNodeStorage(root: string): Promise<DiskStorage> {
  const [fs, { join }] = await Promise.all([import('node:fs/promises'), import('node:path')]);

  async function directories(): Promise<string[]> {
    const entries = await guarded(() => absentIs([], fs.readdir(root, { withFileTypes: true })));
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  }

  async function files(directory: string): Promise<StoredEntry[]> {
    const folder = join(root, directory);
    return guarded(async () => {
      const names = await absentIs([], fs.readdir(folder));
      const sizeOf = async (name: string) => (await fs.stat(join(folder, name))).size;
      return Promise.all(names.map(async (name) => ({ name, sizeBytes: await sizeOf(name) })));
    });
  }

  function open(directory: string, name: string, access: 'read'): Promise<StoredFile | undefined>;
  function open(directory: string, name: string, access: 'write'): Promise<StoredFile>;
  async function open(
    directory: string,
    name: string,
    access: 'read' | 'write',
  ): Promise<StoredFile | undefined> {
    const path = join(root, directory, name);
    return guarded(async () => {
      if (access === 'read') {
        const handle = await absentIs(undefined, fs.open(path, 'r'));
        return handle && new NodeStoredFile(handle);
      }
      await fs.mkdir(join(root, directory), { recursive: true });
      const { O_RDWR, O_CREAT } = fs.constants;
      return new NodeStoredFile(await fs.open(path, O_RDWR | O_CREAT));
    });
  }

  const lock = (directory: string) => lockIn(root, directory);

  return {
    directories,
    files,
    open,
    lock,
    deleteFile: (directory, name) => guarded(() => fs.rm(join(root, directory, name), { force: true })),
    async deleteDirectory(directory) {
      const held = await lock(directory);
      try {
        await guarded(() => fs.rm(join(root, directory), { recursive: true, force: true }));
      } finally {
        await held.release();
      }
    },
    async estimate(): Promise<StorageEstimate> {
      const lists = await Promise.all((await directories()).map(files));
      const usageBytes = lists.flat().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const { bavail, bsize } = await guarded(() => fs.statfs(root).catch(() => ({ bavail: 0, bsize: 0 })));
      return { usageBytes, quotaBytes: usageBytes + bavail * bsize };
    },
    persist: async () => true, // no one but the user deletes it
  };
}

/** The lock's files are beside the directory: deleting that deletes no lock. */
async function lockIn(root: string, directory: string): Promise<StorageLock> {
  const [{ mkdir }, { lockBetweenProcesses }] = await Promise.all([
    import('node:fs/promises'),
    import('./node-lock.ts'),
  ]);
  const held = await guarded(async () => {
    await mkdir(root, { recursive: true });
    return lockBetweenProcesses(root, directory);
  });
  return { release: () => guarded(async () => held.release()) };
}

class NodeStoredFile implements StoredFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  size(): Promise<number> {
    return guarded(async () => (await this.#handle.stat()).size);
  }

  read(into: Uint8Array, offsetBytes: number): Promise<number> {
    return guarded(async () => {
      let done = 0; // one read may give less than was asked for
      while (done < into.byteLength) {
        const { bytesRead } = await this.#handle.read(into, done, into.byteLength - done, offsetBytes + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  write(bytes: Uint8Array, offsetBytes: number): Promise<void> {
    return guarded(async () => {
      let done = 0;
      while (done < bytes.byteLength) {
        const left = bytes.byteLength - done;
        done += (await this.#handle.write(bytes, done, left, offsetBytes + done)).bytesWritten;
      }
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    return guarded(() => this.#handle.truncate(sizeBytes));
  }

  flush(): Promise<void> {
    return guarded(() => this.#handle.datasync());
  }

  close(): Promise<void> {
    return guarded(() => this.#handle.close());
  }
}

async function guarded<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw faultOf(cause);
  }
}

function faultOf(cause: unknown): StorageFault {
  const fault = asFault(cause);
  switch (codeOf(cause)) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new StorageFault('full', fault.message, { cause });
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EBADF':
      return new StorageFault('gone', fault.message, { cause });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StorageFault('unavailable', fault.message, { cause });
    default:
      return fault;
  }
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
}

async function absentIs<T, U>(otherwise: U, promise: Promise<T>): Promise<T | U> {
  return promise.catch((cause: unknown) => {
    if (codeOf(cause) === 'ENOENT') return otherwise;
    throw cause;
  });
}
