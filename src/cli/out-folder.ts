/** Folders that commands write: new or empty, and whole or without their last file. */
import { mkdir, open, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FolderSink } from '../containers/pack/writer.ts';
import { AtomoeError } from '../errors.ts';

/** @throws {AtomoeError} bad-input - the folder has something in it */
export async function assertEmpty(out: string): Promise<void> {
  const found = await readdir(out).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw unwritable(out, cause);
  });
  if (found.length === 0) return;
  throw new AtomoeError(
    'bad-input',
    `${out} holds ${found[0]}${found.length > 1 ? ` and ${found.length - 1} more` : ''}, a new or empty folder is ` +
      `wanted; choose another`,
  );
}

/** A folder of the disk, made with its first file. */
export function folderSink(out: string): FolderSink {
  const attempt = async <T>(name: string, action: (path: string) => Promise<T>): Promise<T> => {
    const path = join(out, name);
    return action(path).catch((cause: NodeJS.ErrnoException) => {
      throw unwritable(path, cause);
    });
  };
  return {
    create: (name) =>
      attempt(name, async (path) => {
        await mkdir(out, { recursive: true });
        const handle = await open(path, 'wx');
        return {
          write: (bytes) => attempt(name, () => handle.writeFile(bytes)),
          close: () => attempt(name, () => handle.close()),
        };
      }),
    commit: (name, bytes) =>
      attempt(name, async (path) => {
        await writeFile(`${path}.part`, bytes, { flag: 'wx' });
        await rename(`${path}.part`, path);
      }),
  };
}

function unwritable(path: string, cause: NodeJS.ErrnoException): AtomoeError {
  if (cause.code === 'ENOSPC') {
    return new AtomoeError(
      'storage-full',
      `${path} could not be written: the disk is full; make room, or choose a folder of another disk`,
      { cause },
    );
  }
  return new AtomoeError(
    'bad-input',
    `${path} could not be written: ${cause.message}; give a folder that you may write, or a new one`,
    { cause },
  );
}
