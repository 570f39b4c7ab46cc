/** Filters over lists and dicts. Those that give a generator in Python give one here. */
import { bind, type Parameters } from './arguments.ts';
import { spend } from './budget.ts';
import { JinjaError } from './errors.ts';
import { filter, type Filter, type Library } from './filter.ts';
import { calculate, toCount } from './numbers.ts';
import { getItem } from './objects.ts';
import { joined, letters, str } from './text.ts';
import {
  compare,
  Dict,
  equals,
  Group,
  hashOf,
  isTrue,
  Iter,
  iterate,
  orElse,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Keywords,
  type Value,
} from './values.ts';

type Pick = (item: Value) => Value;

/** `a.b.0`, as an item of an item; `undefined` where there is no attribute. */
function picker(attribute: Value | undefined, fallback: Value = null): Pick {
  if (attribute === undefined || attribute === null) return (item) => item;
  const steps =
    typeof attribute === 'string'
      ? attribute.split('.').map((part): Value => (/^\d+$/.test(part) ? BigInt(part) : part))
      : [attribute];
  return (item) => {
    let found = item;
    for (const step of steps) {
      found = getItem(found, step);
      if (fallback !== null && found instanceof Undefined) found = fallback;
    }
    return found;
  };
}

function caseless(isCaseSensitive: Value): Pick {
  return (value) => (typeof value === 'string' && !isTrue(isCaseSensitive) ? value.toLowerCase() : value);
}

function* mapped(items: Value, map: Pick): Generator<Value, void, undefined> {
  for (const item of iterate(items)) yield map(item);
}

function* kept(items: Value, keeps: (item: Value) => boolean): Generator<Value, void, undefined> {
  for (const item of iterate(items)) if (keeps(item)) yield item;
}

const map: Filter = (value, args, keywords, library) => {
  const [name, ...rest] = args;
  if (name === undefined) {
    const [attribute = null, fallback = null] = bind(
      'map',
      [
        ['attribute', undefined],
        ['default', null],
      ],
      [],
      keywords,
    );
    return new Iter(mapped(value, picker(attribute, fallback)));
  }
  return new Iter(mapped(value, (item) => library.filter(str(name), item, rest, keywords)));
};

function selecting(isKept: boolean, hasAttribute: boolean): Filter {
  return (value, args, keywords, library) => {
    const [attribute] = args;
    if (hasAttribute && attribute === undefined) throw new JinjaError('Missing parameter for attribute name');
    const pick = hasAttribute ? picker(attribute) : picker(undefined);
    const [name, ...rest] = args.slice(hasAttribute ? 1 : 0);
    const test = testing(library, name, rest, keywords);
    return new Iter(kept(value, (item) => test(pick(item)) === isKept));
  };
}

function testing(
  library: Library,
  name: Value | undefined,
  args: Arguments,
  keywords: Keywords,
): (v: Value) => boolean {
  if (name === undefined) return isTrue;
  return (item) => library.test(str(name), item, args, keywords);
}

/** Sorts by keys that are made once. */
function sortedBy(items: readonly Value[], key: Pick, isReversed: boolean): Value[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  keyed.sort((a, b) => (isReversed ? compare(b.key, a.key) : compare(a.key, b.key)));
  return keyed.map(({ item }) => item);
}

function sort(value: Value, isReversed: Value, isCaseSensitive: Value, attribute: Value): Value {
  const fold = caseless(isCaseSensitive);
  const picks =
    typeof attribute === 'string' ? attribute.split(',').map((name) => picker(name)) : [picker(attribute)];
  const [only = picker(undefined)] = picks;
  const key: Pick =
    picks.length === 1 ? (item) => fold(only(item)) : (item) => picks.map((pick) => fold(pick(item)));
  return sortedBy([...iterate(value)], key, isTrue(isReversed));
}

function dictSort(value: Value, isCaseSensitive: Value, by: Value, isReversed: Value): Value {
  if (by !== 'key' && by !== 'value') throw new JinjaError('You can only sort by either "key" or "value"');
  const fold = caseless(isCaseSensitive);
  const at = by === 'key' ? 0n : 1n;
  return sortedBy(pairsOf(value), (pair) => fold(getItem(pair, at)), isTrue(isReversed));
}

function pairsOf(value: Value): Value[] {
  if (value instanceof Undefined) value.fail();
  if (!(value instanceof Dict)) throw new JinjaError('Can only get item pairs from a mapping.');
  return value.pairs().map((pair) => new Tuple(pair));
}

function groupBy(value: Value, attribute: Value, fallback: Value, isCaseSensitive: Value): Value {
  const pick = picker(attribute, fallback);
  const fold = caseless(isCaseSensitive);
  const groups: Value[][] = [];
  let last: Value | undefined;
  for (const item of sortedBy([...iterate(value)], (each) => fold(pick(each)), false)) {
    const key = fold(pick(item));
    if (last === undefined || !equals(last, key)) groups.push([]);
    groups.at(-1)?.push(item);
    last = key;
  }
  return groups.map((items) => new Group([pick(items[0] ?? null), items]));
}

function unique(value: Value, isCaseSensitive: Value, attribute: Value): Value {
  const fold = caseless(isCaseSensitive);
  const pick = picker(attribute);
  const seen = new Set<string>();
  return new Iter(
    kept(value, (item) => {
      const key = hashOf(fold(pick(item)));
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    }),
  );
}

function extreme(isBetter: (order: number) => boolean) {
  return (value: Value, isCaseSensitive: Value, attribute: Value): Value => {
    const fold = caseless(isCaseSensitive);
    const pick = picker(attribute);
    let best: Value | undefined;
    for (const item of iterate(value)) {
      if (best === undefined || isBetter(compare(fold(pick(item)), fold(pick(best))))) best = item;
    }
    return orElse(best, () => new Undefined('No aggregated item, sequence was empty.'));
  };
}

function sum(value: Value, attribute: Value, start: Value): Value {
  const pick = picker(attribute);
  let total = start;
  for (const item of iterate(value)) total = calculate('+', total, pick(item));
  return total;
}

function join(value: Value, between: Value, attribute: Value): Value {
  const pick = picker(attribute);
  return joined(
    [...iterate(value)].map((item) => str(pick(item))),
    str(between),
  );
}

function reversed(value: Value): Value {
  if (typeof value === 'string') return letters(value).reverse().join('');
  return new Iter([...iterate(value)].reverse());
}

function batch(value: Value, count: Value, fill: Value): Value {
  const size = toCount(count);
  const items = [...iterate(value)];
  // Jinja2 begins a new row where the old one has just this many: 0 fits once, less never.
  const rows: Value[][] = size === 0 && items.length > 0 ? [[]] : [];
  const step = size > 0 ? size : items.length;
  for (let at = 0; at < items.length; at += step) rows.push(items.slice(at, at + step));
  const last = rows.at(-1);
  if (fill !== null && last) {
    spend(size);
    while (last.length < size) last.push(fill);
  }
  return new Iter(rows);
}

function sliced(value: Value, count: Value, fill: Value): Value {
  const items = [...iterate(value)];
  const slices = toCount(count);
  if (slices === 0) throw new JinjaError('integer division or modulo by zero');
  spend(Math.max(0, slices));
  const each = Math.floor(items.length / slices);
  const longer = items.length % slices;
  const columns: Value[][] = [];
  for (let i = 0, at = 0; i < slices; i++) {
    const size = each + (i < longer ? 1 : 0);
    const column = items.slice(at, at + size);
    at += size;
    columns.push(fill !== null && i >= longer ? [...column, fill] : column);
  }
  return new Iter(columns);
}

function first(value: Value): Value {
  for (const item of iterate(value)) return item;
  return new Undefined('No first item, sequence was empty.');
}

function last(value: Value): Value {
  if (value instanceof Iter) throw new JinjaError(`'${typeName(value)}' object is not reversible`);
  return orElse([...iterate(value)].at(-1), () => new Undefined('No last item, sequence was empty.'));
}

function items(value: Value): Value {
  if (value instanceof Undefined) return new Iter([]);
  return new Iter(pairsOf(value));
}

const BY_ATTRIBUTE: Parameters = [
  ['case_sensitive', false],
  ['attribute', null],
];

/** Filters over sequences, by name. */
export const SEQUENCE_FILTERS: readonly [string, Filter][] = [
  ['map', map],
  ['select', selecting(true, false)],
  ['reject', selecting(false, false)],
  ['selectattr', selecting(true, true)],
  ['rejectattr', selecting(false, true)],
  filter('sort', [['reverse', false], ...BY_ATTRIBUTE], sort),
  filter('unique', BY_ATTRIBUTE, unique),
  filter(
    'min',
    BY_ATTRIBUTE,
    extreme((order) => order < 0),
  ),
  filter(
    'max',
    BY_ATTRIBUTE,
    extreme((order) => order > 0),
  ),
  filter(
    'dictsort',
    [
      ['case_sensitive', false],
      ['by', 'key'],
      ['reverse', false],
    ],
    dictSort,
  ),
  filter(
    'groupby',
    [
      ['attribute', undefined],
      ['default', null],
      ['case_sensitive', false],
    ],
    groupBy,
  ),
  filter(
    'sum',
    [
      ['attribute', null],
      ['start', 0n],
    ],
    sum,
  ),
  filter(
    'join',
    [
      ['d', ''],
      ['attribute', null],
    ],
    join,
  ),
  filter('batch', filled('linecount'), batch),
  filter('slice', filled('slices'), sliced),
  filter('reverse', [], reversed),
  filter('list', [], (value) => [...iterate(value)]),
  filter('first', [], first),
  filter('last', [], last),
  filter('items', [], items),
];

function filled(count: string): Parameters {
  return [
    [count, undefined],
    ['fill_with', null],
  ];
}
