/** The methods of str. */
import { bind, type Parameters } from './arguments.ts';
import { allowLetters, spend, spendLetters } from './budget.ts';
import { JinjaError } from './errors.ts';
import { formatBraces } from './format.ts';
import { toCount } from './numbers.ts';
import { hasPairs, isPrintable, isSpace, joined, lengthOf, letters, strip } from './text.ts';
import {
  Callable,
  Dict,
  isList,
  iterate,
  Tuple,
  typeName,
  type Arguments,
  type Keywords,
  type Value,
} from './values.ts';

type Method = (text: string, args: Arguments, keywords: Keywords) => Value;

/** @returns undefined where str has no such method */
export function stringMethod(text: string, name: string): Callable | undefined {
  const method = METHODS.get(name);
  return method && new Callable(name, (args, keywords) => method(text, args, keywords));
}

function method(
  name: string,
  parameters: Parameters,
  run: (text: string, ...args: Value[]) => Value,
): Method {
  return (text, args, keywords) => {
    spendLetters(text.length);
    return run(text, ...bind(name, parameters, args, keywords));
  };
}

function plain(name: string, run: (text: string) => Value): [string, Method] {
  return [name, method(name, [], run)];
}

function stripper(name: string, ends: 'both' | 'left' | 'right'): [string, Method] {
  const run = (text: string, chars: Value) => strip(text, ends, chars === null ? undefined : textOf(chars));
  return [name, method(name, [['chars', null]], run)];
}

const FROM_TO: Parameters = [
  ['sub', undefined],
  ['start', null],
  ['end', null],
];

function finder(name: string, run: (part: string, wanted: string) => number): [string, Method] {
  const find = (text: string, wanted: Value, start: Value, end: Value) => {
    const all = hasPairs(text) ? letters(text) : undefined;
    const part = all
      ? all.slice(...bounds(all.length, start, end)).join('')
      : text.slice(...bounds(text.length, start, end));
    const sought = textOf(wanted);
    spendLetters(part.length, sought.length);
    const at = run(part, sought);
    if (at < 0) {
      if (name.endsWith('index')) throw new JinjaError('substring not found');
      return -1n;
    }
    const before = all ? lengthOf(part.slice(0, at)) : at;
    return BigInt(before + bounds(all?.length ?? text.length, start, end)[0]);
  };
  return [name, method(name, FROM_TO, find)];
}

/** Start and end as Python counts them: negative ones from behind. */
function bounds(length: number, start: Value, end: Value): [number, number] {
  const at = (value: Value, fallback: number) => {
    if (value === null) return fallback;
    const index = toCount(value);
    return index < 0 ? Math.max(0, length + index) : Math.min(index, length);
  };
  return [at(start, 0), at(end, length)];
}

function edge(name: string, run: (text: string, affix: string) => boolean): [string, Method] {
  const test = (text: string, affix: Value, start: Value, end: Value) => {
    const part =
      start === null && end === null
        ? text
        : letters(text)
            .slice(...bounds(lengthOf(text), start, end))
            .join('');
    if (!(affix instanceof Tuple)) return run(part, textOf(affix));
    return affix.items.some((each) => run(part, textOf(each)));
  };
  return [name, method(name, FROM_TO, test)];
}

function padder(name: string, place: (missing: number, width: number) => number): [string, Method] {
  const run = (text: string, width: Value, fill: Value) => {
    const missing = toCount(width) - lengthOf(text);
    if (missing <= 0) return text;
    allowLetters(toCount(width));
    spendLetters(toCount(width));
    const left = place(missing, toCount(width));
    return textOf(fill).repeat(left) + text + textOf(fill).repeat(missing - left);
  };
  return [
    name,
    method(
      name,
      [
        ['width', undefined],
        ['fillchar', ' '],
      ],
      run,
    ),
  ];
}

function cutter(name: string, isFromRight: boolean): [string, Method] {
  const run = (text: string, separator: Value, most: Value) => {
    const limit = toCount(most) < 0 ? Number.POSITIVE_INFINITY : toCount(most);
    const parts =
      separator === null
        ? splitSpaces(text, limit, isFromRight)
        : splitBy(text, textOf(separator), limit, isFromRight);
    spend(parts.length);
    return parts;
  };
  return [
    name,
    method(
      name,
      [
        ['sep', null],
        ['maxsplit', -1n],
      ],
      run,
    ),
  ];
}

function splitBy(text: string, separator: string, limit: number, isFromRight: boolean): string[] {
  if (separator === '') throw new JinjaError('empty separator');
  spendLetters(text.length, separator.length);
  const parts = text.split(separator);
  if (parts.length <= limit + 1) return parts;
  if (isFromRight)
    return [parts.slice(0, parts.length - limit).join(separator), ...parts.slice(parts.length - limit)];
  return [...parts.slice(0, limit), parts.slice(limit).join(separator)];
}

function splitSpaces(text: string, limit: number, isFromRight: boolean): string[] {
  const parts: string[] = [];
  let rest = strip(text, isFromRight ? 'right' : 'left');
  while (rest !== '' && parts.length < limit) {
    const at = isFromRight ? lastSpace(rest) : firstSpace(rest);
    if (at < 0) break;
    parts.push(isFromRight ? rest.slice(at + 1) : rest.slice(0, at));
    spend();
    rest = isFromRight ? strip(rest.slice(0, at), 'right') : strip(rest.slice(at), 'left');
  }
  if (rest !== '') parts.push(parts.length < limit ? strip(rest, 'both') : rest);
  return isFromRight ? parts.reverse() : parts;
}

function firstSpace(text: string): number {
  for (let i = 0; i < text.length; i++) if (isSpace(text.charAt(i))) return i;
  return -1;
}

function lastSpace(text: string): number {
  for (let i = text.length - 1; i >= 0; i--) if (isSpace(text.charAt(i))) return i;
  return -1;
}

const LINE_ENDS = '\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029';

/** Lines by all of Python's line ends. */
export function splitLines(text: string, keepsEnds = false): string[] {
  spendLetters(text.length, 32);
  const lines: string[] = [];
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (!LINE_ENDS.includes(text.charAt(i))) continue;
    const end = text.startsWith('\r\n', i) ? i + 2 : i + 1;
    lines.push(text.slice(from, keepsEnds ? end : i));
    from = end;
    i = end - 1;
  }
  if (from < text.length) lines.push(text.slice(from));
  spend(lines.length);
  return lines;
}

function partition(text: string, separator: Value, isFromRight: boolean): Value {
  const sought = textOf(separator);
  if (sought === '') throw new JinjaError('empty separator');
  const at = isFromRight ? text.lastIndexOf(sought) : text.indexOf(sought);
  if (at < 0) return new Tuple(isFromRight ? ['', '', text] : [text, '', '']);
  return new Tuple([text.slice(0, at), sought, text.slice(at + sought.length)]);
}

/** @param most - negative: all */
export function replaced(text: string, old: string, fresh: string, most: number): string {
  spendLetters(text.length, old.length);
  const parts = old === '' ? ['', ...letters(text), ''] : text.split(old);
  const count = most < 0 ? parts.length - 1 : Math.min(most, parts.length - 1);
  spend(count);
  allowLetters(text.length + count * (fresh.length - old.length));
  spendLetters(text.length + count * fresh.length);
  if (count === parts.length - 1) return parts.join(fresh);
  return [...parts.slice(0, count), parts.slice(count).join(old)].join(fresh);
}

/** Python's str.capitalize. */
export function capitalized(text: string): string {
  const [first = '', ...rest] = letters(text);
  return (first === 'ß' ? 'Ss' : first.toUpperCase()) + rest.join('').toLowerCase();
}

function titled(text: string): string {
  return text.replace(/\p{L}[\p{L}\p{M}]*/gu, capitalized);
}

/** Every letter passes, and there is one. */
function every(name: string, test: RegExp): [string, Method] {
  return plain(name, (text) => text !== '' && letters(text).every((letter) => test.test(letter)));
}

function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  throw new JinjaError(`must be str, not ${typeName(value)}`);
}

function cased(name: string, has: RegExp, hasNot: RegExp): [string, Method] {
  return plain(name, (text) => has.test(text) && !hasNot.test(text));
}

/** str.join */
export function joinTexts(separator: string, items: Value): string {
  const parts: string[] = [];
  for (const item of iterate(items)) {
    if (typeof item !== 'string') {
      throw new JinjaError(`sequence item ${parts.length}: expected str instance, ${typeName(item)} found`);
    }
    parts.push(item);
  }
  return joined(parts, separator);
}

function expandTabs(text: string, size: number): string {
  let column = 0;
  const tabs = text.split('\t').length;
  allowLetters(text.length + tabs * size);
  return letters(text)
    .map((letter) => {
      const width = letter === '\t' ? (size > 0 ? size - (column % size) : 0) : 1;
      column = letter === '\n' || letter === '\r' ? 0 : column + width;
      return letter === '\t' ? ' '.repeat(width) : letter;
    })
    .join('');
}

function zeroFilled(text: string, width: number): string {
  allowLetters(width);
  const sign = /^[-+]/.exec(text)?.[0] ?? '';
  const missing = Math.max(0, width - lengthOf(text));
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

const METHODS = new Map<string, Method>([
  stripper('strip', 'both'),
  stripper('lstrip', 'left'),
  stripper('rstrip', 'right'),
  cutter('split', false),
  cutter('rsplit', true),
  finder('find', (part, sought) => part.indexOf(sought)),
  finder('rfind', (part, sought) => part.lastIndexOf(sought)),
  finder('index', (part, sought) => part.indexOf(sought)),
  finder('rindex', (part, sought) => part.lastIndexOf(sought)),
  edge('startswith', (text, affix) => text.startsWith(affix)),
  edge('endswith', (text, affix) => text.endsWith(affix)),
  padder('ljust', () => 0),
  padder('rjust', (missing) => missing),
  padder('center', (missing, width) => Math.floor(missing / 2) + (missing & width & 1)),
  plain('lower', (text) => text.toLowerCase()),
  plain('upper', (text) => text.toUpperCase()),
  plain('casefold', (text) => text.toLowerCase().replaceAll('ß', 'ss')),
  plain('capitalize', capitalized),
  plain('title', titled),
  plain('swapcase', (text) =>
    text.replace(/\p{L}/gu, (letter) =>
      letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
    ),
  ),
  every('isalpha', /^\p{L}$/u),
  every('isalnum', /^[\p{L}\p{N}]$/u),
  every('isdigit', /^[\p{Nd}²³¹⁰⁴-⁹₀-₉]$/u),
  every('isdecimal', /^\p{Nd}$/u),
  every('isnumeric', /^\p{N}$/u),
  plain('isspace', (text) => text !== '' && letters(text).every(isSpace)),
  plain('isascii', (text) => letters(text).every((letter) => letter <= '\x7f')),
  plain('isprintable', (text) => letters(text).every(isPrintable)),
  plain('isidentifier', (text) => /^[\p{L}_][\p{L}\p{N}\p{M}_]*$/u.test(text)),
  cased('islower', /\p{Ll}/u, /[\p{Lu}\p{Lt}]/u),
  cased('isupper', /\p{Lu}/u, /[\p{Ll}\p{Lt}]/u),
  plain('istitle', (text) => /\p{Lu}/u.test(text) && titled(text) === text),
  [
    'splitlines',
    method('splitlines', [['keepends', false]], (text, keeps) => splitLines(text, keeps === true)),
  ],
  ['join', method('join', [['iterable', undefined]], (text, items) => joinTexts(text, items))],
  [
    'replace',
    method(
      'replace',
      [
        ['old', undefined],
        ['new', undefined],
        ['count', -1n],
      ],
      (text, old, fresh, count = -1n) =>
        replaced(text, textOf(old ?? ''), textOf(fresh ?? ''), toCount(count)),
    ),
  ],
  [
    'count',
    method('count', FROM_TO, (text, wanted, start = null, end = null) => {
      const part =
        start === null && end === null
          ? text
          : letters(text)
              .slice(...bounds(lengthOf(text), start, end))
              .join('');
      const sought = textOf(wanted ?? '');
      spendLetters(part.length, sought.length);
      return BigInt(sought === '' ? lengthOf(part) + 1 : part.split(sought).length - 1);
    }),
  ],
  ['partition', method('partition', [['sep', undefined]], (text, sep) => partition(text, sep ?? '', false))],
  ['rpartition', method('rpartition', [['sep', undefined]], (text, sep) => partition(text, sep ?? '', true))],
  [
    'removeprefix',
    method('removeprefix', [['prefix', undefined]], (text, prefix) => {
      const dropped = textOf(prefix ?? '');
      return text.startsWith(dropped) ? text.slice(dropped.length) : text;
    }),
  ],
  [
    'removesuffix',
    method('removesuffix', [['suffix', undefined]], (text, suffix) => {
      const dropped = textOf(suffix ?? '');
      return text.endsWith(dropped) ? text.slice(0, text.length - dropped.length) : text;
    }),
  ],
  ['zfill', method('zfill', [['width', undefined]], (text, width) => zeroFilled(text, toCount(width ?? 0n)))],
  [
    'expandtabs',
    method('expandtabs', [['tabsize', 8n]], (text, size) => expandTabs(text, toCount(size ?? 8n))),
  ],
  ['format', (text, args, keywords) => formatBraces(text, args, keywords)],
  [
    'format_map',
    (text, args, keywords) => {
      const [mapping] = bind('format_map', [['mapping', undefined]], args, keywords);
      if (!(mapping instanceof Dict)) throw new JinjaError('format requires a mapping');
      return formatBraces(text, [], new Map(mapping.pairs().map(([key, value]) => [String(key), value])));
    },
  ],
]);

/** For `in`: str holds str only. */
export function holdsText(text: string, part: Value): boolean {
  if (typeof part !== 'string') {
    throw new JinjaError(`'in <string>' requires string as left operand, not ${typeName(part)}`);
  }
  spendLetters(text.length, part.length);
  return text.includes(part);
}

/** The text itself, or what is in a list: an index into both. */
export function sequenceOf(value: Value): readonly Value[] | undefined {
  if (isList(value)) return value;
  return value instanceof Tuple ? value.items : undefined;
}
