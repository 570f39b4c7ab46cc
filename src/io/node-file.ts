/** Folders of the local disk, for Node. Browser entry points must not import this file. */
import { AtomoeError } from '../errors.ts';
import { hubAdvice } from './http-url.ts';
import { baseName, isWeightFile, pathSegments } from './names.ts';
import { checkRange } from './read.ts';
import type { FileSource, FolderSource } from './source.ts';
import { takeMemory } from './spare-memory.ts';

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
        const bytes = takeMemory(sizeBytes);
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

/** How a local folder is read. */
export interface NodeFolderOptions {
  /** Refuses links that lead out of the folder: what is read is given away, and its folder may be anybody's. */
  readonly isConfined?: boolean;
}

/** A folder of the disk; the path of a weight file gives its folder with that file as the entry. */
export async function nodeFolder(
  path: string,
  { isConfined = false }: NodeFolderOptions = {},
): Promise<FolderSource> {
  if (typeof path !== 'string' || path === '') {
    const actual = path === '' ? 'empty' : `of type ${typeof path}`;
    throw new AtomoeError(
      'bad-input',
      `the path of the model is ${actual}; wanted that of a model folder or of a weight file, as text; give one`,
    );
  }
  const { dirname, join, resolve } = await import('node:path');
  const { stat } = await import('node:fs/promises');
  const found = await stat(path).catch((cause: unknown) => {
    throw isMissing(cause)
      ? new AtomoeError(
          'bad-file',
          `${path} does not exist; give a model folder or a weight file${hubAdvice(path, '; ')}`,
          { cause },
        )
      : unreadable(path, cause);
  });
  const root = resolve(found.isDirectory() ? path : dirname(path));
  const ggufFiles = found.isDirectory() ? await ggufModels(root) : [];
  const entry = found.isDirectory() ? loneOf(ggufFiles) : baseName(path.replaceAll('\\', '/'));
  if (entry !== undefined && !isWeightFile(entry)) {
    throw new AtomoeError(
      'bad-file',
      `${path} is neither a folder nor a weight file; give a model folder, or a .safetensors or .gguf file`,
    );
  }
  return {
    label: path,
    ...(entry === undefined ? {} : { entry }),
    ...(ggufFiles.length > 1
      ? { advice: `give the path of one of its GGUF files: ${ggufFiles.join(', ')}` }
      : {}),
    async open(name, { signal } = {}) {
      signal?.throwIfAborted();
      const file = join(root, ...pathSegments(name, path));
      return openNodeFile(isConfined ? await confined(root, file) : file);
    },
  };
}

/** The GGUF files of a folder that has no other model, of each with several parts the first. */
async function ggufModels(root: string): Promise<string[]> {
  const { readdir } = await import('node:fs/promises');
  const names = await readdir(root).catch(() => [] as string[]);
  if (names.includes('config.json')) return [];
  const later = /-(?!00001)\d{5}-of-\d{5}\.gguf$/i;
  return names.filter((name) => /\.gguf$/i.test(name) && !later.test(name)).sort();
}

function loneOf([only, ...others]: readonly string[]): string | undefined {
  return others.length === 0 ? only : undefined;
}

/**
 * Where a file of a folder really is.
 *
 * @throws {AtomoeError} bad-file - elsewhere
 */
async function confined(root: string, path: string): Promise<string> {
  const { realpath } = await import('node:fs/promises');
  const { basename, dirname, join, sep } = await import('node:path');
  const real = await realpath(path).catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw unreadable(path, cause);
  });
  if (real === undefined) return path; // it is absent by either name
  const own = await realpath(root);
  // The hub's cache keeps snapshots as links into the blobs of the same model.
  const isSnapshot = basename(dirname(own)) === 'snapshots';
  const allowed = [own, ...(isSnapshot ? [join(own, '..', '..', 'blobs')] : [])];
  if (allowed.some((folder) => real.startsWith(folder + sep))) return real;
  throw new AtomoeError(
    'bad-file',
    `${path} is a link to ${real}, a file of the folder itself is wanted; copy it there if it belongs to the model`,
  );
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
