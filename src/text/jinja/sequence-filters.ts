/** Filters over lists and dicts. Those that give a generator in Python give one here. */
import { bind } from './arguments.ts';
import { spend } from './budget.ts';
import { JinjaError } from './errors.ts';
import type { Filter, Library } from './filters.ts';
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

const sort: Filter = (value, args, keywords) => {
  const [isReversed = false, isCaseSensitive = false, attribute = null] = bind(
    'sort',
    [
      ['reverse', false],
      ['case_sensitive', false],
      ['attribute', null],
    ],
    args,
    keywords,
  );
  const fold = caseless(isCaseSensitive);
  const picks =
    typeof attribute === 'string' ? attribute.split(',').map((name) => picker(name)) : [picker(attribute)];
  const [only = picker(undefined)] = picks;
  const key: Pick =
    picks.length === 1 ? (item) => fold(only(item)) : (item) => picks.map((pick) => fold(pick(item)));
  return sortedBy([...iterate(value)], key, isTrue(isReversed));
};

const dictSort: Filter = (value, args, keywords) => {
  const [isCaseSensitive = false, by = 'key', isReversed = false] = bind(
    'dictsort',
    [
      ['case_sensitive', false],
      ['by', 'key'],
      ['reverse', false],
    ],
    args,
    keywords,
  );
  if (by !== 'key' && by !== 'value') throw new JinjaError('You can only sort by either "key" or "value"');
  const fold = caseless(isCaseSensitive);
  const at = by === 'key' ? 0n : 1n;
  return sortedBy(pairsOf(value), (pair) => fold(getItem(pair, at)), isTrue(isReversed));
};

function pairsOf(value: Value): Value[] {
  if (value instanceof Undefined) value.fail();
  if (!(value instanceof Dict)) throw new JinjaError('Can only get item pairs from a mapping.');
  return value.pairs().map((pair) => new Tuple(pair));
}

const groupBy: Filter = (value, args, keywords) => {
  const [attribute = null, fallback = null, isCaseSensitive = false] = bind(
    'groupby',
    [
      ['attribute', undefined],
      ['default', null],
      ['case_sensitive', false],
    ],
    args,
    keywords,
  );
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
};

const unique: Filter = (value, args, keywords) => {
  const [isCaseSensitive = false, attribute = null] = bind(
    'unique',
    [
      ['case_sensitive', false],
      ['attribute', null],
    ],
    args,
    keywords,
  );
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
};

function extreme(name: 'min' | 'max'): Filter {
  return (value, args, keywords) => {
    const [isCaseSensitive = false, attribute = null] = bind(
      name,
      [
        ['case_sensitive', false],
        ['attribute', null],
      ],
      args,
      keywords,
    );
    const fold = caseless(isCaseSensitive);
    const pick = picker(attribute);
    let best: Value | undefined;
    for (const item of iterate(value)) {
      const order = best === undefined ? 0 : compare(fold(pick(item)), fold(pick(best)));
      if (best === undefined || (name === 'min' ? order < 0 : order > 0)) best = item;
    }
    return orElse(best, () => new Undefined('No aggregated item, sequence was empty.'));
  };
}

const sum: Filter = (value, args, keywords) => {
  const [attribute = null, start = 0n] = bind(
    'sum',
    [
      ['attribute', null],
      ['start', 0n],
    ],
    args,
    keywords,
  );
  const pick = picker(attribute);
  let total = start;
  for (const item of iterate(value)) total = calculate('+', total, pick(item));
  return total;
};

const join: Filter = (value, args, keywords) => {
  const [between = '', attribute = null] = bind(
    'join',
    [
      ['d', ''],
      ['attribute', null],
    ],
    args,
    keywords,
  );
  const pick = picker(attribute);
  return joined(
    [...iterate(value)].map((item) => str(pick(item))),
    str(between),
  );
};

function reversed(value: Value): Value {
  if (typeof value === 'string') return letters(value).reverse().join('');
  return new Iter([...iterate(value)].reverse());
}

const batch: Filter = (value, args, keywords) => {
  const [count = 1n, fill = null] = bind(
    'batch',
    [
      ['linecount', undefined],
      ['fill_with', null],
    ],
    args,
    keywords,
  );
  const size = Math.max(1, toCount(count));
  const items = [...iterate(value)];
  const rows: Value[][] = [];
  for (let at = 0; at < items.length; at += size) rows.push(items.slice(at, at + size));
  const last = rows.at(-1);
  if (fill !== null && last) {
    spend(size);
    while (last.length < size) last.push(fill);
  }
  return new Iter(rows);
};

const sliced: Filter = (value, args, keywords) => {
  const [count = 1n, fill = null] = bind(
    'slice',
    [
      ['slices', undefined],
      ['fill_with', null],
    ],
    args,
    keywords,
  );
  const items = [...iterate(value)];
  const slices = toCount(count);
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
};

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

/** Without arguments. */
function bare(name: string, run: (value: Value) => Value): [string, Filter] {
  return [
    name,
    (value, args, keywords) => {
      bind(name, [], args, keywords);
      return run(value);
    },
  ];
}

export const SEQUENCE_FILTERS: readonly [string, Filter][] = [
  ['map', map],
  ['select', selecting(true, false)],
  ['reject', selecting(false, false)],
  ['selectattr', selecting(true, true)],
  ['rejectattr', selecting(false, true)],
  ['sort', sort],
  ['dictsort', dictSort],
  ['groupby', groupBy],
  ['unique', unique],
  ['min', extreme('min')],
  ['max', extreme('max')],
  ['sum', sum],
  ['join', join],
  ['batch', batch],
  ['slice', sliced],
  bare('reverse', reversed),
  bare('list', (value) => [...iterate(value)]),
  bare('first', first),
  bare('last', last),
  bare('items', items),
];
