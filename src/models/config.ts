import { AtomoeError } from '../errors.ts';

/** Reads a model's config.json: every access names the key and what was wanted. */
export class ConfigReader {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #where: string;

  constructor(values: Readonly<Record<string, unknown>>, where: string) {
    this.#values = values;
    this.#where = where;
  }

  /** The first of several spellings that is there. */
  #find(keys: readonly string[]): { key: string; value: unknown } | undefined {
    for (const key of keys) {
      const value = this.#values[key];
      if (value !== undefined && value !== null) return { key, value };
    }
    return undefined;
  }

  #wrong(keys: readonly string[], wanted: string, value: unknown): AtomoeError {
    const what = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`;
    return new AtomoeError(
      'bad-file',
      `${this.#where}: ${keys.join(' or ')} ${what}; wanted ${wanted}; check that config.json belongs to this model`,
    );
  }

  #number(
    keys: readonly string[],
    fallback: number | undefined,
    wanted: string,
    ok: (value: number) => boolean,
  ): number {
    const found = this.#find(keys);
    if (!found && fallback !== undefined) return fallback;
    if (typeof found?.value !== 'number' || !ok(found.value)) throw this.#wrong(keys, wanted, found?.value);
    return found.value;
  }

  /** A positive integer. */
  count(keys: readonly string[], fallback?: number): number {
    return this.#number(
      keys,
      fallback,
      'a positive integer',
      (value) => Number.isSafeInteger(value) && value > 0,
    );
  }

  /** A finite number. */
  number(keys: readonly string[], fallback?: number): number {
    return this.#number(keys, fallback, 'a number', Number.isFinite);
  }

  boolean(keys: readonly string[], fallback?: boolean): boolean {
    const found = this.#find(keys);
    if (!found && fallback !== undefined) return fallback;
    if (typeof found?.value !== 'boolean') throw this.#wrong(keys, 'true or false', found?.value);
    return found.value;
  }

  text(keys: readonly string[], fallback?: string): string {
    const found = this.#find(keys);
    if (!found && fallback !== undefined) return fallback;
    if (typeof found?.value !== 'string') throw this.#wrong(keys, 'text', found?.value);
    return found.value;
  }

  /** One of a few words. */
  choice<const T extends string>(keys: readonly string[], options: readonly T[], fallback: T): T {
    const text = this.text(keys, fallback);
    const found = options.find((option) => option === text);
    return found ?? this.unsupported(`${keys[0]} "${text}"`, options.join(', '));
  }

  /** A list of integers; one integer counts as a list of one; absent is empty. */
  integers(keys: readonly string[]): number[] {
    const found = this.#find(keys);
    if (!found) return [];
    const list = Array.isArray(found.value) ? found.value : [found.value];
    if (!list.every((item) => Number.isSafeInteger(item))) throw this.#wrong(keys, 'integers', found.value);
    return list as number[];
  }

  has(key: string): boolean {
    return this.#find([key]) !== undefined;
  }

  /** A nested object; absent is empty. */
  section(key: string): ConfigReader {
    const value = this.#values[key] ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) throw this.#wrong([key], 'an object', value);
    return new ConfigReader(value as Record<string, unknown>, `${this.#where} ${key}`);
  }

  /** @throws {AtomoeError} unsupported-model - always: what the config asks for and this engine does not do */
  unsupported(what: string, wanted: string): never {
    throw new AtomoeError(
      'unsupported-model',
      `${this.#where}: ${what}; this family runs with ${wanted}; choose another checkpoint`,
    );
  }
}
