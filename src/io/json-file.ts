import { AtomoeError } from '../errors.ts';
import { readExactly } from './read.ts';
import type { FolderSource } from './source.ts';
import { beyondBounds, MODEL_JSON, parseWithPythonNumbers, type JsonBounds } from './json-text.ts';

/** A parsed JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Largest of a model's small files, and of those that grow with it: real tokenizers have up to 40 MB. */
const LIMIT_BYTES = 16 * 2 ** 20;
const LARGE_LIMIT_BYTES = 64 * 2 ** 20;
const LARGE = /^(tokenizer\.json|vocab\.json|merges\.txt|atomoe\.json|golden\.json|.*\.index\.json)$/;

/** Everything else a model can do without, or it has other files in its place. */
const REQUIRED = 'config.json';

/**
 * Reads a text file of a model's folder.
 *
 * @returns undefined when there is none
 * @throws {AtomoeError} bad-file - not UTF-8, or absurdly large
 */
export async function readText(
  folder: FolderSource,
  name: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<string | undefined> {
  return readParsed(folder, name, options, decodeUtf8);
}

/**
 * Reads a JSON object, such as config.json. `NaN` and `Infinity` are numbers in it, as Python writes them.
 *
 * @returns undefined when there is no such file
 * @throws {AtomoeError} bad-file - not UTF-8, not JSON, or not an object
 */
export async function readJson(
  folder: FolderSource,
  name: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<JsonObject | undefined> {
  return readParsed(folder, name, options, (bytes, where) =>
    parseJsonObject(decodeUtf8(bytes, where), where, { parse: parseWithPythonNumbers }),
  );
}

async function readParsed<T>(
  folder: FolderSource,
  name: string,
  options: { signal?: AbortSignal | undefined },
  parse: (bytes: Uint8Array, where: string) => T,
): Promise<T | undefined> {
  const mostBytes = LARGE.test(name) ? LARGE_LIMIT_BYTES : LIMIT_BYTES;
  const file = await folder.open(name, { ...options, mostBytes, isOptional: name !== REQUIRED });
  if (!file) return undefined;
  try {
    if (file.sizeBytes > mostBytes) {
      throw new AtomoeError(
        'bad-file',
        `${folder.label}: ${name} has ${file.sizeBytes} bytes, at most ${mostBytes} are believable; ` +
          `download it again`,
      );
    }
    const bytes = await readExactly(file, 0, file.sizeBytes, options);
    try {
      return parse(bytes, `${folder.label}: ${name}`);
    } catch (error) {
      file.forget?.(0, file.sizeBytes); // it may have been damaged on its way
      throw error;
    }
  } finally {
    file.dispose?.();
  }
}

/** How JSON is parsed, and how large it may be. */
export interface ParseJsonOptions {
  readonly bounds?: JsonBounds;
  readonly parse?: (text: string) => unknown; // default: strictly
}

/**
 * @param where - what the error calls the text
 * @throws {AtomoeError} bad-file - it is not JSON, no object, or beyond the bounds
 */
export function parseJsonObject(
  text: string,
  where: string,
  { bounds = MODEL_JSON, parse = JSON.parse }: ParseJsonOptions = {},
): JsonObject {
  const beyond = beyondBounds(text, bounds);
  if (beyond !== undefined) {
    throw new AtomoeError('bad-file', `${where} ${beyond}, which no model needs; download it again`);
  }
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AtomoeError('bad-file', `${where} is not JSON: ${why}; download it again`, { cause });
  }
  if (isJsonObject(value)) return value;
  const found = Array.isArray(value) ? 'an array' : value === null ? 'null' : `a ${typeof value}`;
  throw new AtomoeError('bad-file', `${where} holds ${found}, an object is wanted; download it again`);
}

/** Whether a value is a JSON object: no array, not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param where - what the error calls the bytes */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AtomoeError('bad-file', `${where} is not UTF-8 text; download it again`, { cause });
  }
}
