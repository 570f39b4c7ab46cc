import { checkRange } from './read.ts';
import { pathSegments } from './names.ts';
import type { FileSource, FolderSource } from './source.ts';

/** A file that is in memory. Reads copy. */
export function memoryFile(name: string, bytes: Uint8Array): FileSource {
  const file: FileSource = {
    name,
    sizeBytes: bytes.byteLength,
    async read(offsetBytes, sizeBytes, { signal } = {}) {
      signal?.throwIfAborted();
      checkRange(file, offsetBytes, sizeBytes);
      return new Uint8Array(bytes.subarray(offsetBytes, offsetBytes + sizeBytes));
    },
  };
  return file;
}

/** A folder that is in memory: file name to contents; strings are UTF-8. */
export function memoryFolder(
  files: Readonly<Record<string, Uint8Array | string>>,
  label = 'memory',
): FolderSource {
  return {
    label,
    async open(name, { signal } = {}) {
      signal?.throwIfAborted();
      pathSegments(name, label);
      if (!Object.hasOwn(files, name)) return undefined;
      const contents = files[name] ?? '';
      return memoryFile(name, typeof contents === 'string' ? new TextEncoder().encode(contents) : contents);
    },
  };
}
