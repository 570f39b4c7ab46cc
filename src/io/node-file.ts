/** Folders of the local disk, for Node. Browser entry points must not import this file. */
import { AtomoeError } from '../errors.ts';
import { baseName, isWeightFile, pathSegments } from './names.ts';
import { checkRange } from './read.ts';
import type { FileSource, FolderSource } from './source.ts';

/** One file of the disk. It is opened for each read, so there is no handle to leak. */
async function openNodeFile(path: string): Promise<FileSource | undefined> {
  const { open, stat } = await import('node:fs/promises');
  const found = await stat(path).catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw unreadable(path, cause);
  });
  if (!found?.isFile()) return undefined;
  const file: FileSource = {
    name: baseName(path.replaceAll('\\', '/')),
    sizeBytes: found.size,
    async read(offsetBytes, sizeBytes, { signal } = {}) {
      signal?.throwIfAborted();
      checkRange(file, offsetBytes, sizeBytes);
      const handle = await open(path).catch((cause: unknown) => {
        throw unreadable(path, cause);
      });
      try {
        const bytes = new Uint8Array(sizeBytes);
        let done = 0; // one read may give less than was asked for
        while (done < sizeBytes) {
          signal?.throwIfAborted();
          const { bytesRead } = await handle.read(bytes, done, sizeBytes - done, offsetBytes + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return bytes.subarray(0, done);
      } finally {
        await handle.close();
      }
    },
  };
  return file;
}

/** A folder of the disk; the path of a weight file gives its folder with that file as the entry. */
export async function nodeFolder(path: string): Promise<FolderSource> {
  const { dirname, join, resolve } = await import('node:path');
  const { stat } = await import('node:fs/promises');
  const found = await stat(path).catch((cause: unknown) => {
    throw isMissing(cause)
      ? new AtomoeError('bad-file', `${path} does not exist; give a model folder or a weight file`, { cause })
      : unreadable(path, cause);
  });
  const root = resolve(found.isDirectory() ? path : dirname(path));
  const entry = found.isDirectory() ? undefined : baseName(path.replaceAll('\\', '/'));
  if (entry !== undefined && !isWeightFile(entry)) {
    throw new AtomoeError(
      'bad-file',
      `${path} is neither a folder nor a weight file; give a folder, a .safetensors or a .gguf file`,
    );
  }
  return {
    label: path,
    ...(entry === undefined ? {} : { entry }),
    async open(name, { signal } = {}) {
      signal?.throwIfAborted();
      return openNodeFile(join(root, ...pathSegments(name, path)));
    },
  };
}

function isMissing(cause: unknown): boolean {
  const code = (cause as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function unreadable(path: string, cause: unknown): AtomoeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AtomoeError('bad-file', `${path} could not be read: ${why}; check that you may read it`, {
    cause,
  });
}
