/** A folder of the local disk as the cache's storage, for Node. Browser entry points must not import this file. */
import type { FileHandle } from 'node:fs/promises';
import { asFault, StorageFault } from './storage.ts';
import type { DiskStorage, StorageEstimate, StorageLock, StoredEntry, StoredFile } from './storage.ts';

const LOCK_FILE = 'lock';

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
      const names = (await absentIs([], fs.readdir(folder))).filter((name) => name !== LOCK_FILE);
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

  async function lock(directory: string): Promise<StorageLock> {
    await guarded(() => fs.mkdir(join(root, directory), { recursive: true }));
    return lockFile(join(root, directory, LOCK_FILE));
  }

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
      } catch (cause) {
        await held.release();
        throw cause;
      }
    },
    async estimate(): Promise<StorageEstimate> {
      const lists = await Promise.all((await directories()).map(files));
      const usageBytes = lists.flat().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const { bavail, bsize } = await guarded(() => fs.statfs(root).catch(() => ({ bavail: 0, bsize: 0 })));
      return { usageBytes, quotaBytes: usageBytes + bavail * bsize };
    },
    persist: async () => true, // nobody but the user deletes it
  };
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

/**
 * A file that names the process that holds it: Node has no locks that end with their process. What a process left that
 * has ended is taken over.
 */
async function lockFile(path: string): Promise<StorageLock> {
  const fs = await import('node:fs/promises');
  const self = await thisProcess();
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await fs.writeFile(path, JSON.stringify(self), { flag: 'wx' });
      return { release: () => guarded(() => fs.rm(path, { force: true })) };
    } catch (cause) {
      if (codeOf(cause) !== 'EEXIST') throw faultOf(cause);
    }
    const holder = parseHolder(await fs.readFile(path, 'utf8').catch(() => ''));
    if (holder ? await isRunning(holder) : await isYoung(path)) {
      const who = holder ? `process ${holder.pid}` : 'another process';
      throw new StorageFault('locked', `${who} writes there; if it does not, delete ${path}`);
    }
    await guarded(() => fs.rm(path, { force: true }));
  }
  throw new StorageFault('locked', `another process was faster; ${path}`);
}

interface Holder {
  readonly pid: number;
  readonly startedAtMs: number;
}

/** In containers most programs are process 1: only the time tells this one from the one before it. */
async function thisProcess(): Promise<Holder> {
  const { default: process } = await import('node:process');
  return { pid: process.pid, startedAtMs: Math.round(Date.now() - process.uptime() * 1000) };
}

const SAME_START_MS = 2000; // clocks are corrected while programs run

async function isRunning({ pid, startedAtMs }: Holder): Promise<boolean> {
  const self = await thisProcess();
  if (pid === self.pid) return Math.abs(startedAtMs - self.startedAtMs) < SAME_START_MS;
  const { default: process } = await import('node:process');
  try {
    process.kill(pid, 0); // asks, and does nothing
    return true;
  } catch (cause) {
    return codeOf(cause) === 'EPERM';
  }
}

/** A lock without a name in it is one that is being made, or was when the machine stopped. */
async function isYoung(path: string): Promise<boolean> {
  const { stat } = await import('node:fs/promises');
  const made = await stat(path).catch(() => undefined);
  return made !== undefined && Date.now() - made.mtimeMs < 5000;
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, startedAtMs } = JSON.parse(text) as Partial<Holder>;
    return typeof pid === 'number' && typeof startedAtMs === 'number' ? { pid, startedAtMs } : undefined;
  } catch {
    return undefined;
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
