/** `tojson` as transformers sets it: json.dumps, with letters beyond ASCII as they are. */
import { bind } from './arguments.ts';
import { allowLetters, spend, spendLetters } from './budget.ts';
import { JinjaError } from './errors.ts';
import { toCount } from './numbers.ts';
import { floatText, repeat } from './text.ts';
import {
  compare,
  Dict,
  isList,
  isTrue,
  Tuple,
  typeName,
  type Arguments,
  type Keywords,
  type Value,
} from './values.ts';

interface Style {
  readonly isAscii: boolean;
  readonly indent: string | undefined;
  readonly between: string;
  readonly colon: string;
  readonly isSorted: boolean;
}

const PARAMETERS = [
  ['x', undefined],
  ['ensure_ascii', false],
  ['indent', null],
  ['separators', null],
  ['sort_keys', false],
] as const;

/** Python's json.dumps, with the escapes of transformers' `tojson`. */
export function toJson(args: Arguments, keywords: Keywords): string {
  const [value = null, isAscii = false, indent = null, separators = null, isSorted = false] = bind(
    'tojson',
    PARAMETERS,
    args,
    keywords,
  );
  const pair = separators instanceof Tuple ? separators.items : isList(separators) ? separators : undefined;
  const [between = indent === null ? ', ' : ',', colon = ': '] = pair ?? [];
  if (typeof between !== 'string' || typeof colon !== 'string')
    throw new JinjaError('separators must be two texts');
  const step =
    indent === null
      ? undefined
      : typeof indent === 'string'
        ? indent
        : repeat(' ', Math.max(0, toCount(indent)));
  const style: Style = { isAscii: isTrue(isAscii), indent: step, between, colon, isSorted: isTrue(isSorted) };
  const parts: string[] = [];
  let length = 0;
  const write = (part: string) => {
    length += part.length;
    allowLetters(length);
    spendLetters(part.length, 8);
    parts.push(part);
  };
  writeValue(value, style, '\n', write);
  return parts.join('');
}

type Write = (part: string) => void;

function writeValue(value: Value, style: Style, line: string, write: Write): void {
  spend(3); // it writes, too
  if (value instanceof Dict) writeDict(value, style, line, write);
  else if (isList(value)) writeItems(value, style, line, write);
  else if (value instanceof Tuple) writeItems(value.items, style, line, write);
  else write(scalar(value, style));
}

function scalar(value: Value, { isAscii }: Style): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return floatText(value);
    return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
  }
  if (typeof value === 'string') return jsonText(value, isAscii);
  throw new JinjaError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function writeItems(items: readonly Value[], style: Style, line: string, write: Write): void {
  if (items.length === 0) return write('[]');
  const inner = style.indent === undefined ? '' : line + style.indent;
  write('[');
  for (const [i, item] of items.entries()) {
    write((i > 0 ? style.between : '') + inner);
    writeValue(item, style, inner, write);
  }
  write(style.indent === undefined ? ']' : `${line}]`);
}

function writeDict(dict: Dict, style: Style, line: string, write: Write): void {
  const pairs = style.isSorted ? dict.pairs().sort(([a], [b]) => compare(a, b)) : dict.pairs();
  if (pairs.length === 0) return write('{}');
  const inner = style.indent === undefined ? '' : line + style.indent;
  write('{');
  for (const [i, [key, value]] of pairs.entries()) {
    write((i > 0 ? style.between : '') + inner + keyText(key, style) + style.colon);
    writeValue(value, style, inner, write);
  }
  write(style.indent === undefined ? '}' : `${line}}`);
}

function keyText(key: Value, style: Style): string {
  if (typeof key === 'string') return jsonText(key, style.isAscii);
  if (key === null || typeof key !== 'object') return `"${scalar(key, style)}"`;
  throw new JinjaError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

function jsonText(text: string, isAscii: boolean): string {
  spendLetters(text.length, 32);
  const escape = (unit: string): string => {
    if (!isAscii && unit >= '\x7f') return unit; // to json.dumps these are no control letters
    return ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  };
  const inner = text.replace(isAscii ? /["\\]|[^ -~]/g : /["\\]|\p{Cc}/gu, escape);
  return `"${inner}"`;
}
