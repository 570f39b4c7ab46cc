/** Typed access to the key-value pairs of a GGUF header. What is there and is not what it should be is an error that names the key. */
import { AtomoeError } from '../errors.ts';

/** Key-value pairs of a GGUF header: numbers, bigints, booleans, strings and lists of these, typed arrays included. */
export type GgufMetadata = Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown>;

/** Reads one kind of value by key; a key that is missing is undefined. */
export class GgufFields {
  readonly #get: (key: string) => unknown;

  constructor(metadata: GgufMetadata) {
    this.#get =
      metadata instanceof Map
        ? (key) => metadata.get(key)
        : (key) => (Object.hasOwn(metadata, key) ? (metadata as Record<string, unknown>)[key] : undefined);
  }

  /** @throws {AtomoeError} bad-file */
  text(key: string): string | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === 'string') return value;
    throw badKey(key, shown(value), 'a text');
  }

  /** @throws {AtomoeError} bad-file */
  flag(key: string): boolean | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === 'boolean') return value;
    throw badKey(key, shown(value), 'true or false');
  }

  /**
   * @param count - how many ids there are
   * @throws {AtomoeError} bad-file
   */
  id(key: string, count: number): number | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    const id = typeof value === 'bigint' ? Number(value) : value;
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < count) return id;
    throw badKey(key, shown(value), `the id of one of ${count} tokens`);
  }

  /** @throws {AtomoeError} bad-file */
  texts(key: string): readonly string[] | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw badKey(key, shown(value), 'a list of texts');
    const other = value.findIndex((entry: unknown) => typeof entry !== 'string');
    if (other >= 0) throw badKey(`${key}, entry ${other},`, shown((value as unknown[])[other]), 'a text');
    return value as string[];
  }

  /**
   * @param count - how long the list is
   * @throws {AtomoeError} bad-file
   */
  numbers(key: string, count: number): readonly number[] | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    const list: unknown[] | undefined =
      Array.isArray(value) || ArrayBuffer.isView(value) ? listOf(value) : undefined;
    if (list === undefined) throw badKey(key, shown(value), 'a list of numbers');
    if (list.length !== count)
      throw badKey(key, `a list of ${list.length}`, `one of ${count}, a number for each token`);
    const numbers = list.map((entry) => (typeof entry === 'bigint' ? Number(entry) : entry));
    const other = numbers.findIndex((entry) => typeof entry !== 'number' || Number.isNaN(entry));
    if (other >= 0) throw badKey(`${key}, entry ${other},`, shown(list[other]), 'a number');
    return numbers as number[];
  }

  /** Whether the header has the key at all. */
  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }
}

function listOf(value: object): unknown[] | undefined {
  return Symbol.iterator in value ? Array.from(value as Iterable<unknown>) : undefined; // a DataView is no list
}

/**
 * @param key - with `, entry 5,` where it is about a part of the value
 * @param found - in words, or as `shown` gives it
 */
export function badKey(key: string, found: string, wanted: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `the GGUF header cannot be used: ${key} is ${found}; wanted ${wanted}; download the file again`,
  );
}

/** A value of the header, for a message. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (ArrayBuffer.isView(value) || Array.isArray(value)) return 'a list';
  return String(JSON.stringify(value)).slice(0, 100);
}
