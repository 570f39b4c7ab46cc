/**
 * What callers hand in, checked at run time and rebuilt as plain data: stores wrap objects in proxies, getters throw,
 * JavaScript has no types. A check takes a value and its name, and gives the value back or refuses it.
 */
import { AtomoeError } from '../errors.ts';

/** Returns the checked value, or throws `bad-input` with the name of the option, the value and what was wanted. */
export type Check<T> = (value: unknown, name: string) => T;

/** What each field of an object has to be. */
export type Table<T> = { readonly [K in keyof T]-?: Check<Exclude<T[K], undefined>> };

/** @throws {AtomoeError} bad-input - always */
export function refuse(name: string, value: unknown, wanted: string): never {
  return refuseAs(name, show(value), wanted);
}

/** The same of a value that must not be shown: `shown` says what it is instead. */
export function refuseAs(name: string, shown: string, wanted: string): never {
  throw new AtomoeError('bad-input', `${name} is ${shown}; wanted ${wanted}; change it, or leave it out`);
}

/** Whether an option was left out: null counts as absent, as in JSON. */
export function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** Accepts finite numbers from `least` to `most`, both included. */
export function numberFrom(least: number, most = Number.MAX_VALUE): Check<number> {
  return (value, name) => {
    if (typeof value === 'number' && value >= least && value <= most) return value;
    return refuse(name, value, `a number ${range(least, most)}`);
  };
}

/** Accepts whole numbers from `least` to `most`, both included. */
export function wholeFrom(least: number, most = Number.MAX_SAFE_INTEGER): Check<number> {
  return (value, name) => {
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value);
    return refuse(name, value, `a whole number ${range(least, most)}`);
  };
}

function range(least: number, most: number): string {
  return most >= Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`;
}

/** Accepts true and false. */
export const flag: Check<boolean> = (value, name) =>
  typeof value === 'boolean' ? value : refuse(name, value, 'true or false');

/** Accepts strings, the empty one included. */
export const text: Check<string> = (value, name) =>
  typeof value === 'string' ? value : refuse(name, value, 'text');

/** Accepts the listed values, compared with ===. */
export function oneOf<T>(...allowed: readonly T[]): Check<T> {
  return (value, name) =>
    allowed.find((each) => each === value) ?? refuse(name, value, allowed.map(show).join(' or '));
}

/** One word, or what another check takes. */
export function orWord<W extends string, T>(word: W, check: Check<T>): Check<W | T> {
  return (value, name) => {
    if (value === word) return word;
    return typeof value === 'string' ? refuse(name, value, `${show(word)} or a number`) : check(value, name);
  };
}

/** @param wanted - what messages call it */
export function listOf<T>(check: Check<T>, most: number, wanted: string): Check<T[]> {
  return (value, name) => {
    const length = guarded(name, () => (Array.isArray(value) ? value.length : undefined));
    if (length === undefined) return refuse(name, value, wanted);
    if (length > most) return refuse(name, value, `at most ${most}`);
    const list = value as readonly unknown[];
    return Array.from({ length }, (_, i) =>
      check(
        guarded(name, () => list[i]),
        `${name}[${i}]`,
      ),
    );
  };
}

const DEEPEST_DATA = 64;

/** Accepts what JSON can hold, nested at most 64 deep, as a copy. Fields that are `undefined` are left out, as JSON does. */
export const plainData: Check<unknown> = (value, name) => copyOf(value, name, DEEPEST_DATA);

function copyOf(value: unknown, name: string, levels: number): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (!isObject(value)) return refuse(name, value, 'plain data, as JSON has it');
  if (levels === 0) return refuse(name, value, `plain data, nested at most ${DEEPEST_DATA} deep`);
  const copy: Check<unknown> = (each, at) => copyOf(each, at, levels - 1);
  if (guarded(name, () => Array.isArray(value))) return listOf(copy, 100_000, 'a list')(value, name);
  return copyFields(value, name, copy);
}

/** Accepts an object as `plainData` does. */
export const plainObject: Check<Readonly<Record<string, unknown>>> = (value, name) => {
  const isList = guarded(name, () => Array.isArray(value));
  if (!isObject(value) || isList) return refuse(name, value, 'a plain object');
  return copyFields(value, name, (each, at) => copyOf(each, at, DEEPEST_DATA - 1));
};

/** Accepts an object of fields that another check takes, as a copy. */
export function recordOf(copy: Check<unknown>): Check<Readonly<Record<string, unknown>>> {
  return (value, name) =>
    isObject(value) ? copyFields(value, name, copy) : refuse(name, value, 'a plain object');
}

function copyFields(value: object, name: string, copy: Check<unknown>): Record<string, unknown> {
  if (!guarded(name, () => isRecord(value))) return refuse(name, value, 'a plain object');
  const found = guarded(name, () => Object.entries(value)).filter(([, each]) => each !== undefined);
  return Object.fromEntries(found.map(([field, each]) => [field, copy(each, `${name}.${clip(field)}`)]));
}

/** A function of the caller's; its errors are distinguished from errors of our own. */
export function callback<T extends (...args: never[]) => unknown>(): Check<T> {
  return (value, name) => {
    if (typeof value !== 'function') return refuse(name, value, 'a function');
    const call = value as (...args: never[]) => unknown;
    return ((...args: never[]) => {
      try {
        return call(...args);
      } catch (cause) {
        if (cause instanceof AtomoeError) throw cause;
        throw new AtomoeError(
          'bad-input',
          `${name} threw ${showError(cause)}; wanted it to return; correct it`,
          {
            cause,
          },
        );
      }
    }) as T;
  };
}

/** An object of the caller's that is used as it is, known by some of its methods. */
export function withMethods<T>(wanted: string, ...methods: readonly string[]): Check<T> {
  return (value, name) => {
    const hasAll = guarded(name, () => isObject(value) && methods.every((each) => isMethod(value, each)));
    return hasAll ? (value as T) : refuse(name, value, wanted);
  };
}

/** A proxy around a signal has its methods, but none of them works. */
export const abortSignal: Check<AbortSignal> = (value, name) => {
  const wanted = 'an AbortSignal itself, not a copy or a proxy of one';
  const signal = withMethods<AbortSignal>(wanted, 'addEventListener', 'throwIfAborted')(value, name);
  try {
    const nothing = (): void => {};
    signal.addEventListener('abort', nothing);
    signal.removeEventListener('abort', nothing);
    if (typeof signal.aborted === 'boolean') return signal;
  } catch {
    // refused below
  }
  return refuse(name, value, wanted);
};

/** An object with no other fields than the table's, as a plain object of those that are there. */
export function fields<T extends object>(table: Table<T>): Check<T> {
  return (value, name) => readFields<T>(value, table, { what: name, prefix: `${name}.` });
}

/** How messages name an object and its fields. */
export interface FieldNames {
  readonly what: string; // what messages call the whole
  readonly prefix?: string; // comes before the name of a field
  readonly kind?: string; // what messages call a field
  readonly hidden?: readonly string[]; // fields that messages do not list: for tests
}

/**
 * Reads an object by a table. Each field is read once; `undefined` and `null` mean that it is not there.
 *
 * @throws {AtomoeError} bad-input - a field that the table does not know, or of the wrong kind; a getter that throws; an
 *   object that has fields of another sort only, which would be taken as none: a Map, a list, an instance of a class
 */
export function readFields<T extends object>(value: unknown, table: Table<T>, names: FieldNames): T {
  const { what, prefix = '' } = names;
  const found: Partial<T> = {};
  if (isAbsent(value)) return found as T;
  const wanted = Object.keys(table) as (keyof T & string)[];
  if (!isObject(value) || !guarded(what, () => isRecord(value, wanted))) {
    return refuse(what, value, 'a plain object');
  }
  const get = (name: string) => guarded(prefix + clip(name), () => value[name]);
  for (const name of guarded(what, () => Object.keys(value))) {
    if (!Object.hasOwn(table, name) && !isAbsent(get(name))) throw unknownField(name, table, names);
  }
  for (const name of wanted) {
    const field = get(name);
    if (!isAbsent(field)) found[name] = table[name](field, prefix + name);
  }
  return found as T;
}

function unknownField(
  name: string,
  table: object,
  { prefix = '', kind = 'option', hidden = [] }: FieldNames,
) {
  const known = Object.keys(table).filter((field) => !hidden.includes(field));
  const near = nearest(name, known);
  const guess = near === undefined ? '' : `, did you mean ${show(near)}?`;
  return new AtomoeError(
    'bad-input',
    `unknown ${kind} ${show(prefix + name)}${guess}; wanted one of ${known.join(', ')}; check the spelling`,
  );
}

/** The known name that a misspelt one is closest to: the same but for case and underscores, or a few letters away. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (word: string) => word.replaceAll(/[_-]/g, '').toLowerCase();
  const wanted = plain(name.slice(0, 40));
  let best: { each: string; distance: number } | undefined;
  for (const each of known) {
    const distance = editDistance(wanted, plain(each));
    const isNear = distance <= Math.max(1, Math.floor(plain(each).length / 3));
    if (isNear && distance < (best?.distance ?? Infinity)) best = { each, distance };
  }
  return best?.each;
}

/** Letters to add, drop, change, or swap with the next. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? (before[j - 2] ?? 0) + 1 : change;
      next.push(Math.min(change, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Whether a value is an object, arrays included, and not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * Whether an object's fields are what its owner means by it: not those of a list, a Map, a Date and the like, and of an
 * instance of a class only where it has one of `names`.
 */
export function isRecord(value: object, names: readonly string[] = []): boolean {
  return classOf(value) === 'Object' && (isPlain(value) || names.some((name) => name in value));
}

/** Made by `{}` or as bare as that, in whatever page or worker. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** `Map`, `Date`, `Array`; `Object` for all that have no name of their own in the language. */
function classOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** Whether an object has a function of this name. */
export function isMethod(value: Record<string, unknown>, name: string): boolean {
  return typeof value[name] === 'function';
}

/** Reads something of the caller's: a getter or a proxy may throw anything. */
export function guarded<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new AtomoeError(
      'bad-input',
      `${name} cannot be read: ${showError(cause)}; wanted plain data; give a copy of it`,
      { cause },
    );
  }
}

const MOST_SHOWN = 60;

/** A value in an error message: short, whatever it is. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(clip(value));
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'bigint':
      return `${clip(String(value))}n`;
    case 'symbol':
    case 'function':
      return `a ${typeof value}`;
    case 'object':
      if (value === null) return 'null';
      return guarded('it', () => (Array.isArray(value) ? `a list of ${value.length}` : showClass(value)));
  }
}

/** What kind of value it is, for one that may be a secret. */
export function showKind(value: unknown): string {
  return typeof value === 'object' || typeof value === 'undefined' ? show(value) : `a ${typeof value}`;
}

function showClass(value: object): string {
  if (isPlain(value)) return 'an object';
  const named = classOf(value) === 'Object' ? value.constructor.name : classOf(value);
  return /^\w{1,60}$/.test(named) ? `an object of class ${named}` : 'an object';
}

function showError(cause: unknown): string {
  const message = guardedText(() => (cause instanceof Error ? cause.message : String(cause)));
  return show(message);
}

function guardedText(read: () => unknown): string {
  try {
    return String(read());
  } catch {
    return 'something';
  }
}

function clip(value: string): string {
  return value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN)}...` : value;
}

/**
 * Keeps an object out of Vue's proxies, as its `markRaw` does: private fields cannot be reached through one, so an engine
 * in a reactive store would fail at every call.
 */
export function neverReactive(object: object): void {
  Object.defineProperty(object, '__v_skip', { value: true });
}

/** Does something now, and gives what came of it, or throws it, later. */
export function attempt<T>(act: () => T): () => T {
  try {
    const result = act();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
