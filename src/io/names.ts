import { AtomoeError } from '../errors.ts';

/**
 * Refuses names that could leave their folder. Shard names come out of files that anybody may have written, so
 * every folder calls this before it opens anything.
 *
 * @returns the path segments
 * @throws {AtomoeError} bad-file - absolute, empty, or with a `..`, a backslash or a scheme
 */
export function pathSegments(name: string, folderLabel: string): string[] {
  const segments = name.split('/');
  const isPlain = (segment: string) =>
    segment !== '' && segment !== '.' && segment !== '..' && !/[\\:\0]/.test(segment);
  if (segments.every(isPlain)) return segments;
  throw new AtomoeError(
    'bad-file',
    `${folderLabel}: file name ${JSON.stringify(name)} is not a plain relative name; a model names only files ` +
      `in its own folder, download it again from its publisher`,
  );
}

/** Last segment of a path or URL path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

const MODEL_FILE = /\.(safetensors|gguf)$/i;

/** Whether a path names one weight file, and not a folder. */
export function isWeightFile(path: string): boolean {
  return MODEL_FILE.test(path);
}
