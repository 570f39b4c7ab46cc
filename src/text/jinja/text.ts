/** Python's str: code points, white space, repr. */
import { allowLetters, spend, spendLetters } from './budget.ts';
import {
  Callable,
  Dict,
  isList,
  Iter,
  Namespace,
  Range,
  Tuple,
  typeName,
  Undefined,
  View,
  type Value,
} from './values.ts';

/** What str.isspace finds: neither JavaScript's `\s` (no U+001C to U+001F, no U+0085) nor its trim(). */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const SPACES = new Set(' \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000');
for (let code = 0x2000; code <= 0x200a; code++) SPACES.add(String.fromCharCode(code));

/** A run of white space as Python's str.split sees it. */
export const SPACE_RUN = new RegExp(`[${SPACE}]+`, 'g');

/** Whether a character is white space to Python. */
export function isSpace(letter: string): boolean {
  return SPACES.has(letter);
}

/** Letters as Python counts them. */
export function letters(text: string): string[] {
  spendLetters(text.length, 64);
  return Array.from(text);
}

/** Whether a text has characters of two UTF-16 code units. */
export function hasPairs(text: string): boolean {
  spendLetters(text.length);
  return /[\ud800-\udbff]/.test(text);
}

/** Characters of a text, as Python counts them. */
export function lengthOf(text: string): number {
  return hasPairs(text) ? letters(text).length : text.length;
}

/** Python's str.strip, str.lstrip and str.rstrip. */
export function strip(text: string, ends: 'both' | 'left' | 'right', chars?: string): string {
  const dropped = chars === undefined ? SPACES : new Set(chars);
  let from = 0;
  let to = text.length;
  if (chars !== undefined && hasPairs(chars)) return stripPairs(text, ends, dropped);
  if (ends !== 'right') while (from < to && dropped.has(text.charAt(from))) from++;
  if (ends !== 'left') while (to > from && dropped.has(text.charAt(to - 1))) to--;
  spendLetters(text.length - (to - from), 8);
  return text.slice(from, to);
}

function stripPairs(text: string, ends: 'both' | 'left' | 'right', dropped: ReadonlySet<string>): string {
  const all = letters(text);
  let from = 0;
  let to = all.length;
  if (ends !== 'right') while (from < to && dropped.has(all[from] ?? '')) from++;
  if (ends !== 'left') while (to > from && dropped.has(all[to - 1] ?? '')) to--;
  return all.slice(from, to).join('');
}

/** Joins as `a + b` does; a text that is made piece by piece costs its pieces. */
export function concat(a: string, b: string): string {
  allowLetters(a.length + b.length);
  spendLetters(Math.min(a.length, b.length));
  return a + b;
}

/** Python's `text * times`. */
export function repeat(text: string, times: number): string {
  allowLetters(text.length * times);
  spendLetters(text.length * times);
  return text.repeat(times);
}

/** str() */
export function str(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) return '';
  return repr(value);
}

/** repr() */
export function repr(value: Value): string {
  spend();
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return floatText(value);
  if (typeof value === 'string') return quoted(value);
  if (isList(value)) return `[${listed(value)}]`;
  if (value instanceof Tuple) return `(${listed(value.items)}${value.items.length === 1 ? ',' : ''})`;
  if (value instanceof Dict) return `{${paired(value.pairs())}}`;
  if (value instanceof View) return `${value.kind}([${listed(value.items())}])`;
  if (value instanceof Range) {
    const { start, stop, step } = value;
    return `range(${start}, ${stop}${step === 1 ? '' : `, ${step}`})`;
  }
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Namespace) return `<Namespace {${paired([...value.values])}}>`;
  if (value instanceof Callable) return `<function ${value.name}>`;
  return value instanceof Iter ? '<generator object>' : `<${typeName(value)} object>`;
}

function listed(items: readonly Value[]): string {
  return joined(items.map(repr), ', ');
}

function paired(pairs: readonly (readonly [Value, Value])[]): string {
  return joined(
    pairs.map(([key, value]) => `${repr(key)}: ${repr(value)}`),
    ', ',
  );
}

/** Python's str.join. */
export function joined(parts: readonly string[], between: string): string {
  const length = parts.reduce((sum, part) => sum + part.length + between.length, 0);
  allowLetters(length);
  spendLetters(length);
  return parts.join(between);
}

/** repr() of a float: the shortest digits that give it back, with an exponent from 1e16 and below 1e-4. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

function quoted(text: string): string {
  allowLetters(text.length);
  spendLetters(text.length, 64);
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text.replace(/[\\'"]|[^\x20-\x7e]/gu, (letter) => {
    if (letter === quote) return `\\${letter}`;
    if (letter === "'" || letter === '"') return letter;
    return ESCAPES[letter] ?? (isPrintable(letter) ? letter : codeEscape(letter));
  });
  return quote + inner + quote;
}

/** str.isprintable of one letter. */
export function isPrintable(letter: string): boolean {
  return letter === ' ' || !/[\p{C}\p{Z}]/u.test(letter);
}

function codeEscape(letter: string): string {
  const code = letter.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
