import { AtomoeError } from '../errors.ts';

/** A parsed config.json. */
export type ConfigValues = Readonly<Record<string, unknown>>;

/** Maximum of any count in a config; most have a lower maximum. */
const MAX_COUNT = 2 ** 30;

/**
 * Typed access to a model's config.json. Errors name the key and the wanted value. A key that is absent or null has the default
 * of its model class, else that of the access.
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

  /** A reader of the same config with other values for absent keys. */
  withDefaults(defaults?: ConfigValues): ConfigReader {
    return new ConfigReader(this.#values, this.#where, defaults);
  }

  /** The value of a key with several spellings; values must agree if several are present. */
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

  /** The error for two keys with contradictory values. */
  contradiction(
    first: { readonly key: string; readonly value: unknown },
    other: { readonly key: string; readonly value: unknown },
  ): AtomoeError {
    return new AtomoeError(
      'bad-file',
      `${this.#where}: ${first.key} is ${JSON.stringify(first.value)} and ${other.key} is ` +
        `${JSON.stringify(other.value)}; wanted one, or equal values; correct config.json`,
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
  count(keys: readonly string[], fallback?: number, most = MAX_COUNT): number {
    return this.#number(
      keys,
      fallback,
      most === MAX_COUNT ? 'a positive integer' : `a positive integer of at most ${most}`,
      (value) => Number.isSafeInteger(value) && value > 0 && value <= most,
    );
  }

  /** A number above 0 that is a finite, non-zero f32. */
  positive(keys: readonly string[], fallback?: number): number {
    return this.#number(keys, fallback, 'a number above 0', (value) => isF32(value) && value > 0);
  }

  /** A number that is a finite f32. */
  number(keys: readonly string[], fallback?: number): number {
    return this.#number(keys, fallback, 'a number', isF32);
  }

  /** True or false. */
  boolean(keys: readonly string[], fallback?: boolean): boolean {
    const found = this.#find(keys);
    if (!found && fallback !== undefined) return fallback;
    if (typeof found?.value !== 'boolean') throw this.#wrong(keys, 'true or false', found?.value);
    return found.value;
  }

  /** A string. */
  text(keys: readonly string[], fallback?: string): string {
    const found = this.#find(keys);
    if (!found && fallback !== undefined) return fallback;
    if (typeof found?.value !== 'string') throw this.#wrong(keys, 'text', found?.value);
    return found.value;
  }

  /** One of some strings. */
  choice<const T extends string>(keys: readonly string[], options: readonly T[], fallback?: T): T {
    const text = this.text(keys, fallback);
    const found = options.find((option) => option === text);
    return found ?? this.unsupported(`${keys[0]} "${text}"`, options.join(', '));
  }

  /** A list of integers; a single integer counts as a list of one; empty if absent. */
  integers(keys: readonly string[]): number[] {
    const found = this.#find(keys);
    if (!found) return [];
    const list = Array.isArray(found.value) ? found.value : [found.value];
    if (!list.every((item) => Number.isSafeInteger(item))) throw this.#wrong(keys, 'integers', found.value);
    return list as number[];
  }

  /** A list of strings; undefined if absent. */
  words(key: string): string[] | undefined {
    const found = this.#find([key]);
    if (!found) return undefined;
    if (Array.isArray(found.value) && found.value.every((item) => typeof item === 'string')) {
      return found.value as string[];
    }
    throw this.#wrong([key], 'a list of words', found.value);
  }

  /** A list of any values; undefined if absent. */
  list(key: string): readonly unknown[] | undefined {
    const found = this.#find([key]);
    if (!found) return undefined;
    if (Array.isArray(found.value)) return found.value;
    throw this.#wrong([key], 'a list', found.value);
  }

  /** Whether the config itself has a value other than null for this key. */
  has(key: string): boolean {
    return this.#given([key]) !== undefined;
  }

  /** Whether this key has a given value, or has it by default. */
  is(key: string, value: string): boolean {
    return this.#find([key])?.value === value;
  }

  /** Whether the value of this key is null, as distinct from absent. */
  isNull(key: string): boolean {
    return Object.hasOwn(this.#values, key) && this.#values[key] === null;
  }

  /** Keys with a value other than null. */
  keys(): string[] {
    return Object.keys(this.#values).filter((key) => this.has(key));
  }

  /**
   * Rejects keys that change the computation of a model and that its family has not read.
   *
   * @param changing - values without effect, by key; null never has an effect
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

  /** A nested object; empty if absent. */
  section(key: string): ConfigReader {
    const value = this.#given([key])?.value ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) throw this.#wrong([key], 'an object', value);
    return new ConfigReader(value as ConfigValues, `${this.#where} ${key}`);
  }

  /** @throws {AtomoeError} unsupported-model - always: the config requires something that the engine does not support */
  unsupported(what: string, wanted: string): never {
    throw new AtomoeError(
      'unsupported-model',
      `${this.#where}: ${what}; this family runs with ${wanted}; choose another checkpoint`,
    );
  }
}

/** Whether a number is finite as f32, and not rounded to 0. */
function isF32(value: number): boolean {
  return Number.isFinite(Math.fround(value)) && (value === 0 || Math.fround(value) !== 0);
}
