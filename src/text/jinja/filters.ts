/** The filters of Jinja2, those of sequences apart. */
import type { Parameters } from './arguments.ts';
import { spend, spendLetters } from './budget.ts';
import { JinjaError } from './errors.ts';
import { filter, type Filter } from './filter.ts';
import { formatPercent } from './format.ts';
import { toJson } from './json.ts';
import { calculate, toCount, toNumber } from './numbers.ts';
import { ownAttribute, tryLength } from './objects.ts';
import { rounded } from './rounding.ts';
import { SEQUENCE_FILTERS } from './sequence-filters.ts';
import { capitalized, replaced, splitLines, stringMethod } from './strings.ts';
import { joined, lengthOf, letters, repeat, SPACE_RUN, str, strip } from './text.ts';
import {
  Dict,
  isNumber,
  isTrue,
  iterate,
  orElse,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Keywords,
  type Value,
} from './values.ts';

function onText(name: string, run: (text: string) => Value): [string, Filter] {
  return filter(name, [], (value) => {
    const text = str(value);
    spendLetters(text.length, 8);
    return run(text);
  });
}

function length(value: Value): bigint {
  const count = tryLength(value);
  if (count === undefined) throw new JinjaError(`object of type '${typeName(value)}' has no len()`);
  return BigInt(count);
}

function orDefault(value: Value, fallback: Value = '', isBoolean: Value = false): Value {
  return value instanceof Undefined || (isTrue(isBoolean) && !isTrue(value)) ? fallback : value;
}

function callMethod(value: Value, name: string, ...args: Value[]): Value {
  return stringMethod(str(value), name)?.call(args, new Map()) ?? null;
}

function indented(value: Value, width: Value = 4n, first: Value = false, blank: Value = false): string {
  const by = typeof width === 'string' ? width : repeat(' ', Math.max(0, toCount(width)));
  const lines = splitLines(`${str(value)}\n`);
  const [head = '', ...rest] = lines;
  const shown = rest.map((line) => (line !== '' || isTrue(blank) ? by + line : line));
  return joined([(isTrue(first) ? by : '') + head, ...shown], '\n');
}

function truncated(value: Value, ...given: Value[]): string {
  const [size = 255n, kills = false, end = '...', leeway = null] = given;
  const text = str(value);
  const most = toCount(size);
  if (lengthOf(text) <= most + (leeway === null ? 5 : toCount(leeway))) return text;
  const cut = letters(text)
    .slice(0, Math.max(0, most - lengthOf(str(end))))
    .join('');
  const at = cut.lastIndexOf(' ');
  return (isTrue(kills) || at < 0 ? cut : cut.slice(0, at)) + str(end);
}

function toInt(value: Value, fallback: Value = 0n, base: Value = 10n): Value {
  if (value instanceof Undefined) value.fail();
  if (typeof value === 'boolean') return BigInt(value);
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? BigInt(Math.trunc(value)) : fallback;
  if (typeof value !== 'string' || value.length > 1000) return fallback;
  const radix = toCount(base);
  const text = strip(value, 'both').replace(/(?<=\w)_(?=\w)/g, '');
  if (radix !== 10) return parseWhole(text, radix) ?? fallback;
  if (/^[+-]?\d+$/.test(text)) return BigInt(text.replace('+', ''));
  const real = parseReal(text);
  return real !== undefined && Number.isFinite(real) ? BigInt(Math.trunc(real)) : fallback;
}

function parseWhole(text: string, radix: number): bigint | undefined {
  const match = /^([+-]?)(?:0([xob]))?([\da-z]+)$/i.exec(text);
  const prefixed = { x: 16, o: 8, b: 2 }[match?.[2]?.toLowerCase() ?? ''];
  const base = radix === 0 ? (prefixed ?? 10) : radix;
  if (!match || base < 2 || base > 36 || (prefixed !== undefined && prefixed !== base)) return undefined;
  let whole = 0n;
  for (const digit of match[3] ?? '') {
    const worth = Number.parseInt(digit, 36);
    if (!(worth < base)) return undefined;
    whole = whole * BigInt(base) + BigInt(worth);
  }
  return match[1] === '-' ? -whole : whole;
}

function parseReal(text: string): number | undefined {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return Number(text);
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (!word) return undefined;
  if (word[2]?.toLowerCase() === 'nan') return Number.NaN;
  return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function toFloat(value: Value, fallback: Value = 0): Value {
  if (value instanceof Undefined) value.fail();
  if (isNumber(value)) return Number(value);
  if (typeof value !== 'string') return fallback;
  return parseReal(strip(value, 'both').replace(/(?<=\d)_(?=\d)/g, '')) ?? fallback;
}

function round(value: Value, precision: Value = 0n, method: Value = 'common'): Value {
  const number = toNumber(value, (type) => `type ${type} doesn't define __round__ method`);
  const digits = toCount(precision);
  if (method === 'common') {
    if (typeof number === 'number') return rounded(number, digits);
    return digits >= 0 ? number : BigInt(rounded(Number(number), digits));
  }
  if (method !== 'ceil' && method !== 'floor') throw new JinjaError('method must be common, ceil or floor');
  const unit = 10 ** digits;
  return Math[method](Number(number) * unit) / unit;
}

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};

function escaped(text: string): string {
  return text.replace(/[&<>'"]/g, (letter) => HTML[letter] ?? letter);
}

function urlQuoted(text: string, safe = '/'): string {
  const bytes = new TextEncoder().encode(text);
  const parts = Array.from(bytes, (byte) => {
    const letter = String.fromCharCode(byte);
    const isPlain = byte < 128 && (/[\w.~-]/.test(letter) || safe.includes(letter));
    return isPlain ? letter : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return parts.join('');
}

function urlEncoded(value: Value): string {
  if (typeof value === 'string' || value === null || typeof value !== 'object') return urlQuoted(str(value));
  const pairs = value instanceof Dict ? value.pairs() : [...iterate(value)].map(pairOf);
  const quote = (each: Value) => urlQuoted(str(each), '').replaceAll('%20', '+');
  return pairs.map(([key, item]) => `${quote(key)}=${quote(item)}`).join('&');
}

function pairOf(value: Value): readonly [Value, Value] {
  const [key = null, item = null] = iterate(value);
  return [key, item];
}

function fileSize(value: Value, isBinary: Value = false): string {
  const bytes = Number(toFloat(value));
  const base = isTrue(isBinary) ? 1024 : 1000;
  const prefixes = Array.from('kMGTPEZY').map((prefix) =>
    isTrue(isBinary) ? `${prefix.toUpperCase()}iB` : `${prefix}B`,
  );
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const power = prefixes.findIndex((_, i) => bytes < base ** (i + 2));
  const at = power < 0 ? prefixes.length - 1 : power;
  return `${rounded(bytes / base ** (at + 1), 1).toFixed(1)} ${prefixes[at]}`;
}

const DEFAULT_PARAMETERS: Parameters = [
  ['default_value', ''],
  ['boolean', false],
];

/** The built-in filters by name (Jinja2 3.1). */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...SEQUENCE_FILTERS,
  ['tojson', (value, args, keywords) => toJson([value, ...args], keywords)],
  ['format', formatFilter],
  filter('default', DEFAULT_PARAMETERS, orDefault),
  filter('d', DEFAULT_PARAMETERS, orDefault),
  filter('length', [], length),
  filter('count', [], length),
  filter('string', [], (value) => str(value)),
  filter('safe', [], (value) => str(value)),
  onText('escape', escaped),
  onText('e', escaped),
  onText('forceescape', escaped),
  onText('lower', (text) => text.toLowerCase()),
  onText('upper', (text) => text.toUpperCase()),
  onText('capitalize', capitalized),
  onText('title', (text) =>
    text
      .split(/([-\s({[<]+)/)
      .map((word) => letters(word))
      .map(([first = '', ...rest]) => first.toUpperCase() + rest.join('').toLowerCase())
      .join(''),
  ),
  onText('wordcount', (text) => BigInt(text.match(/[\p{L}\p{N}\p{M}_]+/gu)?.length ?? 0)),
  onText('striptags', (text) => strip(withoutTags(text).replace(SPACE_RUN, ' '), 'both')),
  filter('trim', [['chars', null]], (value, chars = null) =>
    strip(str(value), 'both', chars === null ? undefined : str(chars)),
  ),
  filter('center', [['width', 80n]], (value, width = 80n) => callMethod(value, 'center', width)),
  filter(
    'indent',
    [
      ['width', 4n],
      ['first', false],
      ['blank', false],
    ],
    indented,
  ),
  filter(
    'replace',
    [
      ['old', undefined],
      ['new', undefined],
      ['count', null],
    ],
    (value, old = '', fresh = '', count = null) =>
      replaced(str(value), str(old), str(fresh), count === null ? -1 : toCount(count)),
  ),
  filter(
    'truncate',
    [
      ['length', 255n],
      ['killwords', false],
      ['end', '...'],
      ['leeway', null],
    ],
    truncated,
  ),
  filter(
    'int',
    [
      ['default', 0n],
      ['base', 10n],
    ],
    toInt,
  ),
  filter('float', [['default', 0]], toFloat),
  filter(
    'round',
    [
      ['precision', 0n],
      ['method', 'common'],
    ],
    round,
  ),
  filter('abs', [], absolute),
  filter('attr', [['name', undefined]], (value, name = '') => {
    const found = ownAttribute(value, str(name));
    return orElse(found, () => new Undefined(`'${typeName(value)} object' has no attribute '${str(name)}'`));
  }),
  filter('urlencode', [], urlEncoded),
  filter('filesizeformat', [['binary', false]], fileSize),
]);

function formatFilter(value: Value, args: Arguments, keywords: Keywords): Value {
  if (args.length > 0 && keywords.size > 0) {
    throw new JinjaError("can't handle positional and keyword arguments at the same time");
  }
  return formatPercent(str(value), keywords.size > 0 ? Dict.of(keywords) : new Tuple(args));
}

function absolute(value: Value): Value {
  const number = toNumber(value, (type) => `bad operand type for abs(): '${type}'`);
  if (typeof number === 'number') return Math.abs(number);
  return number < 0n ? calculate('-', 0n, number) : number;
}

/** Comments and tags, found by hand: patterns for it look at the rest of the text again and again. */
function withoutTags(text: string): string {
  let rest = '';
  let at = 0;
  for (;;) {
    spend();
    const from = text.indexOf('<', at);
    if (from < 0) break;
    const isComment = text.startsWith('<!--', from);
    const end = text.indexOf(isComment ? '-->' : '>', from);
    if (end < 0) break;
    rest += text.slice(at, from);
    at = end + (isComment ? 3 : 1);
  }
  return rest + text.slice(at);
}
