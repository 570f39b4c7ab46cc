import { parseArgs } from 'node:util';
import { AtomoeError } from '../errors.ts';

/** A command line that asks for what cannot be: the program exits with 2, and nothing was done. */
export class UsageError extends AtomoeError {
  constructor(message: string, options?: ErrorOptions) {
    super('bad-input', message, options);
  }
}

/** Runs a check of values that the command line gave; what it refuses is wrong usage. */
export function asUsage<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof AtomoeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/** One option of a command, as help and parser need it. */
export interface Option {
  readonly value?: string; // placeholder for the value in help: `N`, `FILE`; absent for a switch
  readonly isList?: boolean; // may be given several times
  readonly help: string; // empty: that of another option has it, because a screen has few lines
  /** Reads its value, and refuses a wrong one. Called for every option before a command begins. */
  readonly read?: (args: Arguments, name: string) => unknown;
}

/** The options of a command, by name. */
export type Options = Readonly<Record<string, Option>>;

/** Powers of 1000, as disks and downloads count; of 1024 with an i. */
const BYTES_OF: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** The command line of one command, checked. */
export class Arguments {
  readonly #positionals: readonly string[];
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #wanted: readonly string[];
  readonly #options: Options;

  private constructor(
    { positionals, values }: ReturnType<typeof parse>,
    wanted: readonly string[],
    options: Options,
  ) {
    this.#positionals = positionals;
    this.#values = values;
    this.#wanted = wanted;
    this.#options = options;
  }

  /**
   * @param wanted - names of the positional arguments, all required
   * @throws {UsageError} - an unknown option, a missing or wrong value, too few or too many arguments
   */
  static parse(args: readonly string[], wanted: readonly string[], options: Options): Arguments {
    const config = Object.fromEntries(
      Object.entries(options).map(([name, { value, isList = false }]) => [
        name,
        { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple: isList },
      ]),
    );
    const { positionals, values } = parse(args, config);
    const extra = positionals[wanted.length];
    if (extra !== undefined) {
      throw new UsageError(
        `unexpected argument "${extra}"; wanted ${wanted.join(' ')}; quote a text with spaces`,
      );
    }
    const missing = wanted[positionals.length];
    if (missing !== undefined) throw new UsageError(`${missing} is missing; wanted ${wanted.join(' ')}`);
    const parsed = new Arguments({ positionals, values }, wanted, options);
    for (const [name, { read: readValue }] of Object.entries(options)) readValue?.(parsed, name);
    return parsed;
  }

  positional(index: number): string {
    return this.#positionals[index] ?? '';
  }

  /**
   * A positional argument that names a folder, a file or an address.
   *
   * @throws {UsageError} - an empty text, as an unset variable of a shell leaves it
   */
  place(index: number): string {
    const text = this.positional(index);
    if (text !== '') return text;
    throw new UsageError(`${this.#wanted[index]} is empty; wanted a path or an address`);
  }

  /** Whether the command has such an option, given or not. */
  has(name: string): boolean {
    return name in this.#options;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  list(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  /** @throws {UsageError} - an empty text */
  path(name: string): string | undefined {
    const text = this.text(name);
    if (text !== '') return text;
    throw new UsageError(`--${name} is empty; wanted a path`);
  }

  /** @throws {UsageError} - not a number */
  number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value)) {
      throw new UsageError(`--${name} is "${text}"; wanted a number`);
    }
    return value;
  }

  /** A whole number of at least 1. */
  count(name: string, fallback: number): number {
    const value = this.number(name) ?? fallback;
    if (Number.isSafeInteger(value) && value >= 1) return value;
    throw new UsageError(`--${name} is ${value}; wanted a whole number of at least 1`);
  }

  /**
   * A size such as `512MB`, `2GB`, `1.5GiB`, or a plain number of bytes; undefined where it is not given.
   *
   * @throws {UsageError} - anything else
   */
  bytes(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]i?b|b|)$/i.exec(text.trim()) ?? [];
    const bytes = Math.floor(Number(digits) * (BYTES_OF[unit.toLowerCase()] ?? Number.NaN));
    if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
    throw new UsageError(`--${name} is "${text}"; wanted a size such as 512MB, 2GB or 1073741824`);
  }

  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw new UsageError(`--${name} is "${text}"; wanted ${choices.join(' or ')}`);
  }
}

function parse(args: readonly string[], options: NonNullable<Parameters<typeof parseArgs>[0]>['options']) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: options ?? {} });
  } catch (cause) {
    // Node's first sentence says which option and why; the rest is advice about dashes.
    const [why = ''] = (cause instanceof Error ? cause.message : String(cause)).split(/\.?\n|\. /);
    const dash = /^Option '(--[\w-]+)' argument is ambiguous/.exec(why)?.[1];
    const said =
      dash === undefined
        ? why.charAt(0).toLowerCase() + why.slice(1)
        : `${dash} is followed by what looks like an option; wanted its value, after = where it begins with a dash`;
    throw new UsageError(said, { cause });
  }
}
