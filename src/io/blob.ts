import { AtomoeError } from '../errors.ts';
import { blobBytes } from './blob-bytes.ts';
import { baseName, isWeightFile, pathSegments } from './names.ts';
import { checkRange } from './read.ts';
import type { FileSource, FolderSource } from './source.ts';

/** One file of the user's disk, read by slices. */
export function blobFile(name: string, blob: Blob): FileSource {
  const file: FileSource = {
    name,
    sizeBytes: blob.size,
    async read(offsetBytes, sizeBytes, { signal } = {}) {
      signal?.throwIfAborted();
      checkRange(file, offsetBytes, sizeBytes);
      try {
        return await blobBytes(blob.slice(offsetBytes, offsetBytes + sizeBytes));
      } catch (cause) {
        throw new AtomoeError(
          'bad-file',
          `${name} could not be read (${String(cause)}): ${sizeBytes} bytes at ${offsetBytes} were wanted; ` +
            `it was moved or changed since you chose it, choose it again`,
          { cause },
        );
      }
    },
  };
  return file;
}

/**
 * Files that the user dropped or chose. A chosen directory (`webkitRelativePath`) is the folder; a lone weight file, or the
 * first of a GGUF model's, is the folder's entry.
 */
export function fileFolder(files: readonly File[]): FolderSource {
  const paths = files.map((file) => file.webkitRelativePath || file.name);
  const root = commonRoot(paths);
  const byName = new Map(files.map((file, i) => [(paths[i] ?? file.name).slice(root.length), file]));
  const weights = [...byName.keys()].filter(isWeightFile);
  const loneWeight = entryOf(weights);
  const label = root.slice(0, -1) || loneWeight || files[0]?.name || 'no files';
  return {
    label,
    ...(loneWeight === undefined ? {} : { entry: loneWeight }),
    async open(name, { signal } = {}) {
      signal?.throwIfAborted();
      pathSegments(name, label);
      const found = byName.get(name);
      return found && blobFile(baseName(name), found);
    },
  };
}

/** The file that a model is opened by, where it is none of the usual name: the only one, or the first part of one. */
function entryOf(weights: readonly string[]): string | undefined {
  const [only, ...others] = weights;
  if (others.length === 0) return only === 'model.safetensors' ? undefined : only;
  return weights.find((name) => /-00001-of-\d{5}\.gguf$/i.test(name));
}

/** The first directory with its slash when all paths are in it, else nothing. */
function commonRoot(paths: readonly string[]): string {
  const first = paths[0] ?? '';
  const root = first.slice(0, first.indexOf('/') + 1);
  return paths.every((path) => path.startsWith(root)) ? root : '';
}
