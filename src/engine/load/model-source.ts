/** Where a model comes from, checked before anything is opened. */
import type { ModelFiles, ModelSource } from '../api.ts';
import { guarded, isMethod, isObject, listOf, refuse, type Check } from '../checks.ts';

const WANTED = 'an address, a list of files, or an object with label and open()';

const MOST_FILES = 10_000;

/** @throws {AtomoeError} bad-input */
export const modelSource: Check<ModelSource> = (value, name) => {
  if (typeof value === 'string' && value.trim() !== '') return value;
  if (guarded(name, () => Array.isArray(value) || isFileList(value))) {
    const list = guarded(name, () => (Array.isArray(value) ? value : Array.from(value as FileList)));
    const files = listOf(file, MOST_FILES, 'a list of files')(list, name);
    return files.length > 0 ? files : refuse(name, value, 'at least one file');
  }
  const isFolder = guarded(
    name,
    () => isObject(value) && isMethod(value, 'open') && typeof value['label'] === 'string',
  );
  return isFolder ? (value as unknown as ModelFiles) : refuse(name, value, WANTED);
};

/** What an `<input type="file">` has: it can be counted, and is no array. */
function isFileList(value: unknown): boolean {
  return 'FileList' in globalThis && value instanceof FileList;
}

const sizeOfBlob = Object.getOwnPropertyDescriptor(Blob.prototype, 'size')?.get;

/** A proxy around a file looks like one and cannot be read. */
const file: Check<File> = (value, name) => {
  try {
    sizeOfBlob?.call(value);
    if (isObject(value) && typeof value['name'] === 'string') return value as unknown as File;
  } catch {
    // refused below
  }
  return refuse(name, value, 'a File itself, not a copy or a proxy of one');
};
