/** Python's arithmetic. */
import { allowLetters, spend } from './budget.ts';
import type { BinaryOperator } from './ast.ts';
import { JinjaError } from './errors.ts';
import { formatPercent } from './format.ts';
import { concat, repeat } from './text.ts';
import { isList, isNumber, numeric, Tuple, typeName, Undefined, type Value } from './values.ts';

/** Numbers of more digits are made to fill the memory; Python does not print them either. */
const MOST_BITS = 4096;

/** Python's arithmetic on numbers, and its + and * on sequences. */
export function calculate(operator: BinaryOperator, a: Value, b: Value): Value {
  const sequence = operator === '+' ? added(a, b) : operator === '*' ? repeated(a, b) : undefined;
  if (sequence !== undefined) return sequence;
  if (operator === '%' && typeof a === 'string') return formatPercent(a, b);
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [numeric(a), numeric(b)];
    if (typeof x === 'bigint' && typeof y === 'bigint') return whole(operator, x, y);
    return real(operator, Number(x), Number(y));
  }
  for (const value of [a, b]) if (value instanceof Undefined) value.fail();
  throw new JinjaError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

function added(a: Value, b: Value): Value | undefined {
  if (typeof a === 'string' && typeof b === 'string') return concat(a, b);
  if (isList(a) && isList(b)) {
    allowItems(a.length + b.length);
    return [...a, ...b];
  }
  if (!(a instanceof Tuple && b instanceof Tuple)) return undefined;
  allowItems(a.items.length + b.items.length);
  return new Tuple([...a.items, ...b.items]);
}

function repeated(a: Value, b: Value): Value | undefined {
  if (isNumber(a) && !isNumber(b)) return repeated(b, a);
  if (!isNumber(b) || typeof b === 'number') return undefined;
  const times = Math.max(0, Number(b));
  if (typeof a === 'string') return repeat(a, a === '' ? 0 : times);
  const items = isList(a) ? a : a instanceof Tuple ? a.items : undefined;
  if (!items) return undefined;
  allowItems(items.length * times);
  const all = items.length === 0 ? [] : Array.from({ length: times }, () => items).flat();
  return isList(a) ? all : new Tuple(all);
}

/** Lists live in memory all at once, so they are paid before they are made. */
function allowItems(count: number): void {
  allowLetters(count);
  spend(count);
}

function whole(operator: BinaryOperator, a: bigint, b: bigint): Value {
  switch (operator) {
    case '+':
      return bounded(a + b);
    case '-':
      return bounded(a - b);
    case '*':
      return bounded(a * b);
    case '/':
      return Number(a) / Number(nonZero(b));
    case '//':
      return floorDivided(a, nonZero(b));
    case '%':
      return a - floorDivided(a, nonZero(b)) * b;
    case '**':
      return b < 0n ? real('**', Number(a), Number(b)) : raised(a, b);
  }
}

function real(operator: BinaryOperator, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / nonZero(b);
    case '//':
      return Math.floor(a / nonZero(b));
    case '%':
      return a - Math.floor(a / nonZero(b)) * b;
    case '**':
      return a ** (a === 0 && b < 0 ? nonZero(a) : b);
  }
}

function nonZero<T extends bigint | number>(divisor: T): T {
  if (Number(divisor) === 0) throw new JinjaError('division by zero');
  return divisor;
}

/** Rounds down, also below zero. */
function floorDivided(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function raised(base: bigint, exponent: bigint): bigint {
  const bits = base.toString(2).length * Number(exponent);
  if (bits > MOST_BITS && base !== 0n && base !== 1n && base !== -1n) throw tooLarge();
  return base ** (bits > MOST_BITS ? exponent % 2n : exponent);
}

function bounded(value: bigint): bigint {
  if (value > -(1n << 64n) && value < 1n << 64n) return value;
  if (value.toString(16).length * 4 > MOST_BITS) throw tooLarge();
  return value;
}

function tooLarge(): JinjaError {
  return new JinjaError(`a number has more than ${MOST_BITS} bits`);
}

/** Unary minus. */
export function negated(value: Value): Value {
  return -toNumber(value, (type) => `bad operand type for unary -: '${type}'`);
}

/** Unary plus. */
export function positive(value: Value): Value {
  return toNumber(value, (type) => `bad operand type for unary +: '${type}'`);
}

/** A number from a value that has to be one; `refusal` is what is said of another type. */
export function toNumber(value: Value, refusal: (type: string) => string): bigint | number {
  if (value instanceof Undefined) value.fail();
  if (!isNumber(value)) throw new JinjaError(refusal(typeName(value)));
  return numeric(value);
}

/** A whole number from a value that has to be one. */
export function toCount(value: Value): number {
  if (value instanceof Undefined) value.fail();
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value);
  throw new JinjaError(`'${typeName(value)}' object cannot be interpreted as an integer`);
}
