import { AtomoeError } from '../errors.ts';

/** A parsed config.json. */
export type ConfigValues = Readonly<Record<string, unknown>>;

/** Largest count that anything in a config can be; most have a lower limit of their own. */
const MOST_COUNT = 2 ** 30;

/**
 * Reads a model's config.json: every access names the key and what was wanted. A key that is absent or null has the
 * default of its model class, else that of the access.
 */
export class ConfigReader {
  readonly #values: ConfigValues;
  readonly #where: string;
  readonly #defaults: ConfigValues;
  readonly #asked = new Set<string>();

  constructor(values: ConfigValues, where: string, defaults: ConfigValues = {}) {
    this.#values = values;
    this.#where = where;
    this.#defaults = defaults;
  }

  /** What the config gives under one of several spellings, which agree where it has several. */
  #given(keys: readonly string[]): { key: string; value: unknown } | undefined {
    for (const key of keys) this.#asked.add(key);
    const given = keys.flatMap((key) => {
      const value = Object.hasOwn(this.#values, key) ? this.#values[key] : undefined;
      return value === undefined || value === null ? [] : [{ key, value }];
    });
    const [first] = given;
    const other = given.find(({ value }) => JSON.stringify(value) !== JSON.stringify(first?.value));
    if (first && other) throw this.contradiction(first, other);
    return first;
  }

  #find(keys: readonly string[]): { key: string; value: unknown } | undefined {
    const given = this.#given(keys);
    if (given) return given;
    const key = keys.find((name) => Object.hasOwn(this.#defaults, name));
    return key === undefined ? undefined : { key, value: this.#defaults[key] };
  }

  /** Two places of the config that say different things about one. */
  contradiction(
    first: { readonly key: string; readonly value: unknown },
    other: { readonly key: string; readonly value: unknown },
  ): AtomoeError {
    return new AtomoeError(
      'bad-file',
      `${this.#where}: ${first.key} is ${JSON.stringify(first.value)} and ${other.key} is ` +
        `${JSON.stringify(other.value)}; wanted one of them, or the same; correct config.json`,
    );
  }

  #wrong(keys: readonly string[], wanted: string, value: unknown): AtomoeError {
    const what = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`;
    const name = this.#given(keys)?.key ?? keys.join(' or ');
    return new AtomoeError(
      'bad-file',
      `${this.#where}: ${name} ${what}; wanted ${wanted}; check that config.json belongs to this model`,
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
  count(keys: readonly string[], fallback?: number, most = MOST_COUNT): number {
    return this.#number(
      keys,
      fallback,
      most === MOST_COUNT ? 'a positive integer' : `a positive integer of at most ${most}`,
      (value) => Number.isSafeInteger(value) && value > 0 && value <= most,
    );
  }

  /** A number above 0, as kernels take it. */
  positive(keys: readonly string[], fallback?: number): number {
    return this.#number(keys, fallback, 'a number above 0', (value) => isF32(value) && value > 0);
  }

  /** A number as kernels take it. */
  number(keys: readonly string[], fallback?: number): number {
    return this.#number(keys, fallback, 'a number', isF32);
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
  choice<const T extends string>(keys: readonly string[], options: readonly T[], fallback?: T): T {
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

  /** A list of words; absent is undefined. */
  words(key: string): string[] | undefined {
    const found = this.#find([key]);
    if (!found) return undefined;
    if (Array.isArray(found.value) && found.value.every((item) => typeof item === 'string')) {
      return found.value as string[];
    }
    throw this.#wrong([key], 'a list of words', found.value);
  }

  /** Whether the config itself says something under this key. */
  has(key: string): boolean {
    return this.#given([key]) !== undefined;
  }

  /** Whether the config says null under this key, which is not the same as saying nothing. */
  isNull(key: string): boolean {
    return Object.hasOwn(this.#values, key) && this.#values[key] === null;
  }

  /** Keys under which the config says something. */
  keys(): string[] {
    return Object.keys(this.#values).filter((key) => this.has(key));
  }

  /**
   * Refuses keys that change what a model computes and that its family has not asked for.
   *
   * @param changing - by key, the values that change nothing; null never does
   * @throws {AtomoeError} unsupported-model
   */
  refuseUnread(changing: Readonly<Record<string, readonly unknown[]>>): void {
    for (const [key, neutral] of Object.entries(changing)) {
      if (this.#asked.has(key)) continue;
      const value = Object.hasOwn(this.#values, key) ? (this.#values[key] ?? undefined) : undefined;
      if (value === undefined || neutral.includes(value)) continue;
      this.unsupported(
        `${key} is ${JSON.stringify(value)}`,
        neutral.length > 0 ? `${key} ${neutral.join(' or ')}` : `no ${key}`,
      );
    }
  }

  /** A nested object; absent is empty. */
  section(key: string): ConfigReader {
    const value = this.#given([key])?.value ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) throw this.#wrong([key], 'an object', value);
    return new ConfigReader(value as ConfigValues, `${this.#where} ${key}`);
  }

  /** @throws {AtomoeError} unsupported-model - always: what the config asks for and this engine does not do */
  unsupported(what: string, wanted: string): never {
    throw new AtomoeError(
      'unsupported-model',
      `${this.#where}: ${what}; this family runs with ${wanted}; choose another checkpoint`,
    );
  }
}

/** Neither infinite nor lost as an f32. */
function isF32(value: number): boolean {
  return Number.isFinite(Math.fround(value)) && (value === 0 || Math.fround(value) !== 0);
}
