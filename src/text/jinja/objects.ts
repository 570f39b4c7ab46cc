/** Attributes, items and slices, as Jinja2's sandbox looks them up. */
import { bind } from './arguments.ts';
import { spendLetters } from './budget.ts';
import { JinjaError } from './errors.ts';
import { toCount } from './numbers.ts';
import { holdsText, sequenceOf, stringMethod } from './strings.ts';
import { hasPairs, lengthOf, letters, repr } from './text.ts';
import {
  Callable,
  Dict,
  equals,
  Group,
  isList,
  iterate,
  orElse,
  Range,
  Thing,
  Tuple,
  typeName,
  Undefined,
  View,
  type Value,
} from './values.ts';

/** Methods that would change what they belong to. */
const UNSAFE: Readonly<Record<string, readonly string[]>> = {
  list: ['append', 'clear', 'pop', 'reverse', 'insert', 'sort', 'extend', 'remove'],
  dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
};

/** `object.name`: a method or an attribute first, else an item. */
export function getAttribute(object: Value, name: string): Value {
  if (object instanceof Undefined) object.fail();
  const own = ownAttribute(object, name);
  if (own !== undefined) return own;
  return orElse(object instanceof Dict ? object.get(name) : undefined, () => missing(object, name));
}

/** `object[key]`: an item first, else a method or an attribute. */
export function getItem(object: Value, key: Value): Value {
  if (object instanceof Undefined) object.fail();
  const item = itemAt(object, key);
  if (item !== undefined) return item;
  return orElse(typeof key === 'string' ? ownAttribute(object, key) : undefined, () => missing(object, key));
}

function itemAt(object: Value, key: Value): Value | undefined {
  if (object instanceof Dict) {
    const isHashable = !(isList(key) || key instanceof Dict);
    return isHashable ? object.get(key) : undefined;
  }
  if (typeof key !== 'bigint' && typeof key !== 'boolean') return undefined;
  const index = Number(key);
  if (typeof object === 'string') {
    if (!hasPairs(object)) return object.at(index);
    return letters(object).at(index);
  }
  if (object instanceof Range) {
    const at = index < 0 ? index + object.length : index;
    return at >= 0 && at < object.length ? BigInt(object.start + at * object.step) : undefined;
  }
  return sequenceOf(object)?.at(index);
}

/** @returns undefined where there is none */
export function ownAttribute(object: Value, name: string): Value | undefined {
  if (/^__.*__$/.test(name) || UNSAFE[typeName(object)]?.includes(name)) {
    return new Undefined(`access to attribute '${name}' of '${typeName(object)}' object is unsafe.`);
  }
  if (typeof object === 'string') return stringMethod(object, name);
  if (object instanceof Dict) return dictMethod(object, name);
  if (object instanceof Thing) return object.attribute(name);
  if (object instanceof Callable)
    return Object.hasOwn(object.attributes, name) ? object.attributes[name] : undefined;
  if (object instanceof Group && name === 'grouper') return object.items[0];
  if (object instanceof Group && name === 'list') return object.items[1];
  const items = sequenceOf(object);
  return items && sequenceMethod(items, name);
}

function missing(object: Value, key: Value): Undefined {
  const what = object === null ? 'None' : `'${typeName(object)} object'`;
  const name = typeof key === 'string' ? `attribute '${key}'` : `element ${repr(key)}`;
  return new Undefined(`${what} has no ${name}`);
}

function dictMethod(dict: Dict, name: string): Callable | undefined {
  switch (name) {
    case 'get':
      return new Callable(name, (args, keywords) => {
        const [key = null, fallback = null] = bind(
          name,
          [
            ['key', undefined],
            ['default', null],
          ],
          args,
          keywords,
        );
        return orElse(dict.get(key), () => fallback);
      });
    case 'items':
    case 'keys':
    case 'values':
      return new Callable(name, (args, keywords) => {
        bind(name, [], args, keywords);
        return new View(`dict_${name}`, dict);
      });
    case 'copy':
      return new Callable(name, () => dict);
    default:
      return undefined;
  }
}

function sequenceMethod(items: readonly Value[], name: string): Callable | undefined {
  if (name === 'copy') return new Callable(name, () => items);
  if (name !== 'count' && name !== 'index') return undefined;
  return new Callable(name, (args, keywords) => {
    const [wanted = null] = bind(name, [['value', undefined]], args, keywords);
    if (name === 'count') return BigInt(items.filter((item) => equals(item, wanted)).length);
    const at = items.findIndex((item) => equals(item, wanted));
    if (at < 0) throw new JinjaError(`${repr(wanted)} is not in list`);
    return BigInt(at);
  });
}

/** len(); undefined for what has none. */
export function tryLength(value: Value): number | undefined {
  if (typeof value === 'string') return lengthOf(value);
  if (value instanceof Dict) return value.size;
  if (value instanceof View) return value.dict.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Undefined) return 0;
  if (value instanceof Thing) {
    const length = value.type === 'LoopContext' ? value.attribute('length') : undefined;
    return typeof length === 'bigint' ? Number(length) : undefined;
  }
  return sequenceOf(value)?.length;
}

/** Python's `in`. */
export function contains(container: Value, wanted: Value): boolean {
  if (typeof container === 'string') return holdsText(container, wanted);
  if (container instanceof Dict) return container.has(wanted);
  if (container === null || typeof container !== 'object') {
    throw new JinjaError(`argument of type '${typeName(container)}' is not iterable`);
  }
  for (const item of iterate(container)) if (equals(item, wanted)) return true;
  return false;
}

/** `value[start:stop:step]` */
export function slice(value: Value, bounds: readonly (Value | undefined)[]): Value {
  if (value instanceof Undefined) value.fail();
  if (typeof value === 'string') {
    if (!hasPairs(value))
      return pick(
        value.length,
        bounds,
        (from, to) => value.slice(from, to),
        (i) => value.charAt(i),
      ).join('');
    const all = letters(value);
    return pick(
      all.length,
      bounds,
      (from, to) => all.slice(from, to).join(''),
      (i) => all[i] ?? '',
    ).join('');
  }
  const items = value instanceof Range ? value.items() : sequenceOf(value);
  if (!items) throw new JinjaError(`'${typeName(value)}' object is not subscriptable`);
  const picked = pick(
    items.length,
    bounds,
    (from, to) => items.slice(from, to),
    (i) => [items[i] ?? null],
  ).flat();
  return value instanceof Tuple ? new Tuple(picked) : picked;
}

/** Parts in a row where the step is 1, else one by one. */
function pick<T>(
  length: number,
  bounds: readonly (Value | undefined)[],
  run: (from: number, to: number) => T,
  one: (index: number) => T,
): T[] {
  const [start, stop, stepValue] = bounds.map((bound) =>
    bound === undefined || bound === null ? undefined : toCount(bound),
  );
  const step = stepValue ?? 1;
  if (step === 0) throw new JinjaError('slice step cannot be zero');
  const [least, most] = step > 0 ? [0, length] : [-1, length - 1];
  const at = (index: number | undefined, fallback: number) => {
    if (index === undefined) return fallback;
    return Math.min(Math.max(index < 0 ? index + length : index, least), most);
  };
  const from = at(start, step > 0 ? least : most);
  const to = at(stop, step > 0 ? most : least);
  if (step === 1) {
    spendLetters(Math.max(0, to - from));
    return to > from ? [run(from, to)] : [];
  }
  const count = Math.max(0, Math.ceil((to - from) / step));
  spendLetters(count, 64);
  return Array.from({ length: count }, (_, i) => one(from + i * step));
}
