/** `%` and `str.format`: what templates write dates and counts with. */
import { allowLetters, spendLetters } from './budget.ts';
import { JinjaError } from './errors.ts';
import { fixed } from './rounding.ts';
import { floatText, lengthOf, letters, repr, str } from './text.ts';
import {
  Dict,
  isNumber,
  numeric,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Keywords,
  type Value,
} from './values.ts';

interface Spec {
  readonly fill: string;
  readonly align: string; // '<', '>', '^', '=' or '' for the type's own
  readonly sign: string; // '+', ' ' or ''
  readonly isAlternate: boolean;
  readonly width: number;
  readonly grouping: string;
  readonly precision: number | undefined;
  readonly type: string;
}

/** `text % values` */
export function formatPercent(text: string, values: Value): string {
  spendLetters(text.length);
  const list = values instanceof Tuple ? values.items : [values];
  let used = 0;
  const take = (): Value => {
    const value = list[used++];
    if (value === undefined) throw new JinjaError('not enough arguments for format string');
    return value;
  };
  const result = text.replace(
    /%(?:\(([^)]*)\))?([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d+))?[hlL]?([\s\S]?)/g,
    (_, key: string | undefined, flags: string, width = '', precision: string | undefined, type: string) => {
      if (type === '%') return '%';
      const size = (given: string) => (given === '*' ? Number(take()) : Number(given));
      const spec = percentSpec(
        flags,
        size(width),
        precision === undefined ? undefined : size(precision),
        type,
      );
      const value = key === undefined ? take() : byKey(values, key);
      return pad(percentText(value, spec), spec);
    },
  );
  if (used < list.length && values instanceof Tuple) {
    throw new JinjaError('not all arguments converted during string formatting');
  }
  if (used === 0 && !(values instanceof Tuple || values instanceof Dict)) {
    throw new JinjaError('not all arguments converted during string formatting');
  }
  return result;
}

function byKey(values: Value, key: string): Value {
  if (!(values instanceof Dict)) throw new JinjaError('format requires a mapping');
  const value = values.get(key);
  if (value === undefined) throw new JinjaError(`there is no "${key}" to format`);
  return value;
}

function percentSpec(flags: string, width: number, precision: number | undefined, type: string): Spec {
  const isLeft = flags.includes('-');
  const isZero = flags.includes('0') && !isLeft && 'diouxXeEfFgG'.includes(type);
  return {
    fill: isZero ? '0' : ' ',
    align: isLeft ? '<' : isZero ? '=' : '>',
    sign: flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '',
    isAlternate: flags.includes('#'),
    width,
    grouping: '',
    precision,
    type,
  };
}

function percentText(value: Value, spec: Spec): string {
  const { type, precision } = spec;
  if (type === 's' || type === 'r' || type === 'a') {
    const text = type === 's' ? str(value) : repr(value);
    return precision === undefined ? text : letters(text).slice(0, precision).join('');
  }
  if (type === 'c') return typeof value === 'bigint' ? String.fromCodePoint(Number(value)) : str(value);
  if (!'diuoxXeEfFgG'.includes(type) || type === '') {
    throw new JinjaError(`unsupported format character '${type}'`);
  }
  if (!isNumber(value)) throw new JinjaError(`%${type} format: a number is required, not ${typeName(value)}`);
  const number = numeric(value);
  if ('diu'.includes(type)) {
    if (typeof number === 'number' && !Number.isFinite(number)) {
      throw new JinjaError(`cannot convert float ${floatText(number)} to integer`);
    }
    const digits = typeof number === 'bigint' ? number : BigInt(Math.trunc(number));
    const text = (digits < 0n ? -digits : digits).toString().padStart(precision ?? 0, '0');
    return signed(text, digits < 0n, spec.sign);
  }
  return numberText(number, spec);
}

/** `text.format(...)` */
export function formatBraces(text: string, args: Arguments, keywords: Keywords, nested = 0): string {
  spendLetters(text.length);
  let next = 0;
  return text.replace(
    /\{\{|\}\}|\{((?:[^{}]|\{[^{}]*\})*)\}|[{}]/g,
    (whole: string, field: string | undefined) => {
      if (whole === '{{') return '{';
      if (whole === '}}') return '}';
      if (field === undefined) throw new JinjaError(`Single '${whole}' encountered in format string`);
      const match = /^([^!:]*)(?:!([rsa]))?(?::([\s\S]*))?$/.exec(field);
      if (!match || nested > 1) throw new JinjaError(`'${whole}' is no format field`);
      const [, path = '', conversion, rawSpec = ''] = match;
      const first = /^[^.[]*/.exec(path)?.[0] ?? '';
      const value = fieldValue(
        first === '' ? String(next++) : first,
        path.slice(first.length),
        args,
        keywords,
      );
      const spec = rawSpec.includes('{')
        ? formatBraces(rawSpec, args.slice(next), keywords, nested + 1)
        : rawSpec;
      const shown = conversion === undefined ? value : conversion === 's' ? str(value) : repr(value);
      return formatValue(shown, spec);
    },
  );
}

function fieldValue(first: string, rest: string, args: Arguments, keywords: Keywords): Value {
  const value = /^\d+$/.test(first) ? args[Number(first)] : keywords.get(first);
  if (value === undefined) throw new JinjaError(`there is no "${first}" to format`);
  let found: Value = value;
  for (const [, name, key] of rest.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g)) {
    const step: string = name ?? key ?? '';
    const inner: Value | undefined =
      found instanceof Dict
        ? found.get(/^\d+$/.test(step) && key !== undefined ? BigInt(step) : step)
        : Array.isArray(found)
          ? (found as readonly Value[])[Number(step)]
          : undefined;
    if (inner === undefined) throw new JinjaError(`there is no "${step}" to format`);
    found = inner;
  }
  return found;
}

const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ]?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([bcdeEfFgGnosxX%]?)$/u;

function formatValue(value: Value, rawSpec: string): string {
  if (value instanceof Undefined && rawSpec !== '') value.fail();
  const match = SPEC.exec(rawSpec);
  if (!match) throw new JinjaError(`Invalid format specifier '${rawSpec}'`);
  const [, fill, align, sign = '', alternate, zero, width, grouping = '', precision, type = ''] = match;
  const spec: Spec = {
    fill: fill ?? (zero && !align ? '0' : ' '),
    align: align ?? (zero ? '=' : isNumber(value) && typeof value !== 'boolean' ? '>' : '<'),
    sign: sign === '-' ? '' : sign,
    isAlternate: alternate === '#',
    width: Number(width),
    grouping,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  };
  if (isNumber(value) && (typeof value !== 'boolean' || type !== '')) {
    return pad(numberText(numeric(value), spec), spec);
  }
  if (type !== '' && type !== 's') {
    throw new JinjaError(`Unknown format code '${type}' for object of type '${typeName(value)}'`);
  }
  const text = str(value);
  return pad(spec.precision === undefined ? text : letters(text).slice(0, spec.precision).join(''), spec);
}

function numberText(value: bigint | number, spec: Spec): string {
  const isNegative = typeof value === 'bigint' ? value < 0n : value < 0 || Object.is(value, -0);
  const body =
    typeof value === 'bigint'
      ? wholeText(value < 0n ? -value : value, spec)
      : realText(Math.abs(value), spec);
  return signed(spec.grouping ? grouped(body, spec.grouping) : body, isNegative, spec.sign);
}

const BASES: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16, X: 16 };

function wholeText(value: bigint, spec: Spec): string {
  const base = BASES[spec.type];
  if (base !== undefined) {
    const digits = (spec.isAlternate ? `0${spec.type}` : '') + value.toString(base);
    return spec.type === 'X' ? digits.toUpperCase() : digits;
  }
  if (spec.type === '' || spec.type === 'd' || spec.type === 'n') return value.toString();
  return realText(Number(value), spec);
}

function realText(value: number, { type, precision }: Spec): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : 'inf';
  if (type === '' && precision === undefined) return floatText(value);
  const digits = precision ?? 6;
  if (type === '%') return `${fixed(value * 100, digits)}%`;
  if (type === 'f' || type === 'F') return fixed(value, digits);
  if (type === 'e' || type === 'E') {
    const text = exponential(value, digits);
    return type === 'E' ? text.toUpperCase() : text;
  }
  if (!['g', 'G', 'n', ''].includes(type)) throw new JinjaError(`Unknown format code '${type}' for a number`);
  const text = general(value, Math.max(1, digits));
  return type === 'G' ? text.toUpperCase() : text;
}

function exponential(value: number, digits: number): string {
  return value.toExponential(Math.min(digits, 100)).replace(/e([+-])(\d)$/, 'e$10$2');
}

function general(value: number, digits: number): string {
  const exponent = value === 0 ? 0 : Number(value.toExponential(Math.min(digits - 1, 100)).split('e')[1]);
  const isPlain = exponent >= -4 && exponent < digits;
  const text = isPlain ? fixed(value, digits - 1 - exponent) : exponential(value, digits - 1);
  const [mantissa = '', power] = text.split('e');
  const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  return power === undefined ? short : `${short}e${power}`;
}

function grouped(text: string, mark: string): string {
  return text.replace(/^\d+/, (digits) => digits.replace(/\B(?=(?:\d{3})+$)/g, mark));
}

function signed(text: string, isNegative: boolean, sign: string): string {
  return (isNegative ? '-' : sign) + text;
}

function pad(text: string, { fill, align, width }: Spec): string {
  allowLetters(width);
  const missing = width - lengthOf(text);
  if (!(missing > 0)) return text;
  spendLetters(width);
  if (align === '<') return text + fill.repeat(missing);
  if (align === '^') {
    const left = Math.floor(missing / 2);
    return fill.repeat(left) + text + fill.repeat(missing - left);
  }
  const sign = align === '=' ? (/^[-+ ]/.exec(text)?.[0] ?? '') : '';
  return sign + fill.repeat(missing) + text.slice(sign.length);
}
