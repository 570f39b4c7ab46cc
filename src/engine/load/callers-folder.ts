/** A folder of the caller's own making, at arm's length: what it throws or gives wrongly becomes an AtomoeError. */
import { AtomoeError } from '../../errors.ts';
import { factsOf, type FileSource, type FolderSource } from '../../io/source.ts';
import { textOf } from '../failures.ts';

/**
 * A folder that a caller implements, with its answers checked.
 * @throws {AtomoeError} bad-input - a file of another shape or size than it promised
 */
export function callersFolder(folder: FolderSource): FolderSource {
  const { label } = folder;
  return {
    ...factsOf(folder),
    open: async (name, options) => {
      const file = await attempt(`${label}: ${name}`, options?.signal, () => folder.open(name, options));
      return file ? callersFile(file, label) : undefined;
    },
  };
}

function callersFile(file: FileSource, label: string): FileSource {
  const what = `${label}: ${file.name}`;
  const { sizeBytes, validator } = file;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new AtomoeError(
      'bad-file',
      `${what} says that it has ${String(sizeBytes)} bytes; wanted a whole number; correct what opens it`,
    );
  }
  return {
    name: file.name,
    sizeBytes,
    ...(validator === undefined ? {} : { validator }),
    get isRanged() {
      return file.isRanged ?? true; // a host may turn out to be none
    },
    read: async (offsetBytes, wantedBytes, options) => {
      const bytes = await attempt(what, options?.signal, () => file.read(offsetBytes, wantedBytes, options));
      if (bytes instanceof Uint8Array && bytes.byteLength === wantedBytes) return bytes;
      const got = bytes instanceof Uint8Array ? `${bytes.byteLength} bytes` : 'something else';
      throw new AtomoeError(
        'bad-file',
        `${what} was asked for ${wantedBytes} bytes from ${offsetBytes} on and gave ${got}; wanted a Uint8Array of ` +
          'exactly those; correct what opens it',
      );
    },
    ...(file.forget ? { forget: (offset, size) => file.forget?.(offset, size) } : {}),
    dispose: () => file.dispose?.(),
  };
}

async function attempt<T>(what: string, signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof AtomoeError || signal?.aborted) throw cause;
    throw new AtomoeError(
      'bad-file',
      `${what} cannot be read: ${textOf(cause)}; wanted its bytes; correct what opens it`,
      { cause },
    );
  }
}
