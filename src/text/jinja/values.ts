/**
 * Python's values, as far as templates see them: None is null, int is bigint, float is number, str is string, list is an
 * array; what JavaScript lacks is a class here. Nothing changes after it is made, but namespaces.
 */
import { spend } from './budget.ts';
import { JinjaError } from './errors.ts';

/** A value of a template: what Python would have. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | readonly Value[]
  | Tuple
  | Dict
  | Range
  | View
  | Iter
  | Undefined
  | Callable
  | Thing;

/** Something that is not there. It prints as nothing, and fails when it is used. */
export class Undefined {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }

  fail(): never {
    throw new JinjaError(this.message);
  }
}

/** A Python tuple. */
export class Tuple {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

/** What groupby gives: a tuple whose parts have names. */
export class Group extends Tuple {}

/** Keeps order; 1, 1.0 and True are one key, as in Python. */
export class Dict {
  readonly #entries = new Map<string, readonly [Value, Value]>();

  static of(pairs: Iterable<readonly [Value, Value]>): Dict {
    const dict = new Dict();
    for (const [key, value] of pairs) dict.#set(key, value);
    return dict;
  }

  #set(key: Value, value: Value): void {
    spend();
    const name = hashOf(key);
    const known = this.#entries.get(name);
    this.#entries.set(name, [known ? known[0] : key, value]);
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(hashOf(key))?.[1];
  }

  has(key: Value): boolean {
    return this.#entries.has(hashOf(key));
  }

  get size(): number {
    return this.#entries.size;
  }

  keys(): Value[] {
    return this.pairs().map(([key]) => key);
  }

  values(): Value[] {
    return this.pairs().map(([, value]) => value);
  }

  pairs(): (readonly [Value, Value])[] {
    spend(this.#entries.size);
    return [...this.#entries.values()];
  }
}

/** A Python range. */
export class Range {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  constructor(start: number, stop: number, step: number) {
    [this.start, this.stop, this.step] = [start, stop, step];
  }

  get length(): number {
    return Math.max(0, Math.ceil((this.stop - this.start) / this.step));
  }

  items(): Value[] {
    spend(this.length);
    return Array.from({ length: this.length }, (_, i) => BigInt(this.start + i * this.step));
  }
}

/** What keys(), values() and items() of a dict give. */
export class View {
  readonly kind: 'dict_keys' | 'dict_values' | 'dict_items';
  readonly dict: Dict;
  constructor(kind: View['kind'], dict: Dict) {
    [this.kind, this.dict] = [kind, dict];
  }

  items(): Value[] {
    if (this.kind === 'dict_keys') return this.dict.keys();
    if (this.kind === 'dict_values') return this.dict.values();
    return this.dict.pairs().map((pair) => new Tuple(pair));
  }
}

/** A generator: it can be walked once, is always true, and has no length. */
export class Iter {
  readonly #items: Iterator<Value>;
  constructor(items: Iterable<Value>) {
    this.#items = items[Symbol.iterator]();
  }

  *walk(): Generator<Value, void, undefined> {
    for (;;) {
      const next = this.#items.next();
      if (next.done) return;
      yield next.value;
    }
  }
}

/** Arguments by position. */
export type Arguments = readonly Value[];

/** Arguments by name. */
export type Keywords = ReadonlyMap<string, Value>;

/** A function that templates can call. */
export class Callable {
  readonly name: string;
  readonly call: (args: Arguments, keywords: Keywords) => Value;
  readonly attributes: Readonly<Record<string, Value>>;
  constructor(name: string, call: Callable['call'], attributes: Readonly<Record<string, Value>> = {}) {
    [this.name, this.call, this.attributes] = [name, call, attributes];
  }
}

/** Any other object: namespaces, `loop`, cyclers. */
export abstract class Thing {
  abstract readonly type: string;
  abstract attribute(name: string): Value | undefined;
  call?(args: Arguments, keywords: Keywords): Value;
}

/** Jinja2's namespace: an object whose attributes can be assigned. */
export class Namespace extends Thing {
  readonly type = 'Namespace';
  readonly values = new Map<string, Value>();

  attribute(name: string): Value | undefined {
    return this.values.get(name);
  }
}

/** None is a value: only what is absent is replaced. */
export function orElse(value: Value | undefined, fallback: () => Value): Value {
  return value === undefined ? fallback() : value;
}

/** The name of a value's type in Python. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'string') return 'str';
  if (isList(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Dict) return 'dict';
  if (value instanceof Range) return 'range';
  if (value instanceof View) return value.kind;
  if (value instanceof Iter) return 'generator';
  if (value instanceof Undefined) return 'Undefined';
  return value instanceof Callable ? 'function' : value.type;
}

/** Whether a value is a list. */
export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** Whether a value is a bool, an int or a float. */
export function isNumber(value: Value): value is boolean | bigint | number {
  return typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean';
}

/** True and False are 1 and 0 in arithmetic. */
export function numeric(value: boolean | bigint | number): bigint | number {
  return typeof value === 'boolean' ? BigInt(value) : value;
}

/** Python's truth of a value. */
export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'string' || isList(value)) return value.length > 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof View) return value.dict.size > 0;
  if (value instanceof Range) return value.length > 0;
  return typeof value === 'object' || Boolean(value);
}

/** The same key for what Python finds equal. */
export function hashOf(key: Value): string {
  if (typeof key === 'string') return `s${key}`;
  if (isNumber(key)) {
    const value = numeric(key);
    return typeof value === 'number' && !Number.isInteger(value) ? `f${value}` : `i${BigInt(value)}`;
  }
  if (key === null) return 'n';
  if (key instanceof Tuple) {
    spend(key.items.length);
    return `t${JSON.stringify(key.items.map(hashOf))}`;
  }
  throw new JinjaError(`unhashable type: '${typeName(key)}'`);
}

/** Python's ==. */
export function equals(a: Value, b: Value): boolean {
  spend();
  if (a === b) return true;
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [numeric(a), numeric(b)];
    return typeof x === typeof y ? x === y : Number(x) === Number(y);
  }
  if (a instanceof Undefined) return b instanceof Undefined;
  if (isList(a) && isList(b)) return sameItems(a, b);
  if (a instanceof Tuple && b instanceof Tuple) return sameItems(a.items, b.items);
  if (a instanceof Range && b instanceof Range) return sameItems(a.items(), b.items());
  if (!(a instanceof Dict && b instanceof Dict) || a.size !== b.size) return false;
  return a.pairs().every(([key, value]) => {
    const other = b.get(key);
    return other !== undefined && equals(value, other);
  });
}

function sameItems(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((item, i) => equals(item, b[i] ?? null));
}

/** Less than 0, 0, more than 0. */
export function compare(a: Value, b: Value): number {
  spend();
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [numeric(a), numeric(b)];
    return x < y ? -1 : x > y ? 1 : x === y || Number(x) === Number(y) ? 0 : Number.NaN;
  }
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const [x, y] = [isList(a) ? a : undefined, isList(b) ? b : undefined];
  if (x && y) return compareItems(x, y);
  if (a instanceof Tuple && b instanceof Tuple) return compareItems(a.items, b.items);
  for (const value of [a, b]) if (value instanceof Undefined) value.fail();
  throw new JinjaError(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** By code points; JavaScript compares UTF-16 units. */
function compareText(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  for (let i = 0; i < most; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    return (a.codePointAt(i) ?? 0) - (b.codePointAt(i) ?? 0);
  }
  return a.length - b.length;
}

function compareItems(a: readonly Value[], b: readonly Value[]): number {
  const at = a.findIndex((item, i) => i >= b.length || !equals(item, b[i] ?? null));
  if (at < 0 || at >= b.length) return a.length - b.length;
  return compare(a[at] ?? null, b[at] ?? null);
}

/**
 * The items of a value, in turn.
 * @throws {TemplateError} it is not iterable
 */
export function* iterate(value: Value): Generator<Value, void, undefined> {
  for (const item of itemsOf(value)) {
    spend();
    yield item;
  }
}

function itemsOf(value: Value): Iterable<Value> {
  if (typeof value === 'string') return value;
  if (isList(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return value.keys();
  if (value instanceof Range || value instanceof View) return value.items();
  if (value instanceof Iter) return value.walk();
  if (value instanceof Undefined) return [];
  throw new JinjaError(`'${typeName(value)}' object is not iterable`);
}

/** A JSON value of JavaScript, as json.loads would give it. Whole numbers become ints: JavaScript has one 1 for 1 and 1.0. */
export function fromJs(value: unknown): Value {
  spend();
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(fromJs);
  if (typeof value !== 'object') throw new JinjaError(`a ${typeof value} cannot be given to a template`);
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Dict.of(entries.map(([key, each]) => [key, fromJs(each)] as const));
}
