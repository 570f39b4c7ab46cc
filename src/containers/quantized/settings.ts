/** The settings of a quantisation, as the config has them. */
import { AtomoeError } from '../../errors.ts';
import { isJsonObject, type JsonObject } from '../../io/json-file.ts';

/** Typed access to settings; null counts as absent. Errors name the key. */
export class Settings {
  readonly #values: JsonObject;
  readonly where: string; // what errors call them

  constructor(values: JsonObject, where: string) {
    this.#values = values;
    this.where = where;
  }

  /** The value of a key; undefined if it is absent. */
  get(key: string): unknown {
    return Object.hasOwn(this.#values, key) ? (this.#values[key] ?? undefined) : undefined;
  }

  /** One of some values, which is the first if the key is absent. */
  oneOf<const T extends string | number | boolean>(key: string, values: readonly [T, ...T[]]): T {
    const given = this.get(key) ?? values[0];
    return values.find((value) => value === given) ?? this.unsupported(key, values.join(' or '));
  }

  /** A whole number of at least 1 and a multiple of `step`; undefined if the key is absent or -1. */
  size(key: string, step: number): number | undefined {
    const given = this.get(key) ?? -1;
    if (given === -1) return undefined;
    if (isSize(given) && given % step === 0) return given;
    return this.unsupported(key, `a multiple of ${step}`);
  }

  /** Two whole numbers of at least 1, the second a multiple of `step`; undefined if the key is absent. */
  block(key: string, step: number): readonly [rows: number, cols: number] | undefined {
    const given = this.get(key);
    if (given === undefined) return undefined;
    const [rows, cols, ...others] = Array.isArray(given) ? (given as unknown[]) : [];
    if (isSize(rows) && isSize(cols) && cols % step === 0 && others.length === 0) return [rows, cols];
    return this.unsupported(key, `[rows, columns], columns a multiple of ${step}`);
  }

  /** The settings in an object of these; none if it is absent. */
  section(key: string): Settings {
    const given = this.get(key) ?? {};
    if (isJsonObject(given)) return new Settings(given, `${this.where} ${key}`);
    return this.unsupported(key, 'an object');
  }

  keys(): string[] {
    return Object.keys(this.#values);
  }

  /** @throws {AtomoeError} unsupported-model - always */
  unsupported(key: string, wanted: string): never {
    throw new AtomoeError(
      'unsupported-model',
      `${this.where}: ${key} is ${JSON.stringify(this.get(key)) ?? 'missing'}; wanted ${wanted}; choose another ` +
        'quantisation of the model',
    );
  }
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
