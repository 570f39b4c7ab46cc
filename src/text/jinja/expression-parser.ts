/** Expressions, by the precedence of Jinja2's own parser: `or and not compare + ~ * ** unary postfix filter`. */
import type { BinaryOperator, CallArguments, Comparison, Expression } from './ast.ts';
import type { TokenStream } from './token-stream.ts';
import type { Value } from './values.ts';

/** A call without arguments. */
export const NO_ARGUMENTS: CallArguments = {
  args: [],
  keywords: [],
  moreArgs: undefined,
  moreKeywords: undefined,
};

const CONSTANTS = new Map<string, Value>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);

/**
 * Parses one expression.
 * @throws {TemplateError} a syntax error
 */
export function parseExpression(stream: TokenStream): Expression {
  return stream.nested(() => {
    let value = parseOr(stream);
    while (stream.skip('name', 'if')) {
      const test = parseOr(stream);
      const otherwise = stream.skip('name', 'else') ? parseExpression(stream) : undefined;
      value = { kind: 'condition', test, chosen: value, otherwise };
    }
    return value;
  });
}

/** What a tuple may contain, and where it ends. */
export interface TupleOptions {
  /** `a if b` may be in it; default true. */
  readonly hasConditions?: boolean;
  /** A name that ends it. */
  readonly end?: string;
  /** It is in parentheses, so it may be empty. */
  readonly isClosed?: boolean;
}

/** One expression, or several with commas. */
export function parseTuple(stream: TokenStream, options: TupleOptions = {}): Expression {
  const { hasConditions = true, end, isClosed = false } = options;
  const items: Expression[] = [];
  let isTuple = false;
  const isEnd = () => stream.is('end') || stream.isOperator(')') || (end !== undefined && stream.isName(end));
  while (!isEnd()) {
    items.push(hasConditions ? parseExpression(stream) : stream.nested(() => parseOr(stream)));
    if (!stream.skip('operator', ',')) break;
    isTuple = true;
  }
  const [only] = items;
  if (!isTuple && only) return only;
  if (!isTuple && !isClosed) throw stream.error('an expression is missing');
  return { kind: 'tuple', items };
}

function parseOr(stream: TokenStream): Expression {
  let left = parseAnd(stream);
  while (stream.skip('name', 'or')) left = { kind: 'or', left, right: parseAnd(stream) };
  return left;
}

function parseAnd(stream: TokenStream): Expression {
  let left = parseNot(stream);
  while (stream.skip('name', 'and')) left = { kind: 'and', left, right: parseNot(stream) };
  return left;
}

function parseNot(stream: TokenStream): Expression {
  if (!stream.skip('name', 'not')) return parseComparison(stream);
  return { kind: 'not', operand: stream.nested(() => parseNot(stream)) };
}

function parseComparison(stream: TokenStream): Expression {
  const first = parseSum(stream);
  const rest: [Comparison, Expression][] = [];
  for (;;) {
    const operator = comparison(stream);
    if (!operator) break;
    rest.push([operator, parseSum(stream)]);
  }
  return rest.length > 0 ? { kind: 'compare', first, rest } : first;
}

function comparison(stream: TokenStream): Comparison | undefined {
  if (stream.isOperator('==', '!=', '<', '<=', '>', '>=')) return stream.next().value as Comparison;
  if (stream.skip('name', 'in')) return 'in';
  const next = stream.peek(1);
  if (!stream.isName('not') || next.type !== 'name' || next.value !== 'in') return undefined;
  stream.next();
  stream.next();
  return 'not in';
}

function parseSum(stream: TokenStream): Expression {
  let left = parseConcat(stream);
  while (stream.isOperator('+', '-')) {
    const operator = stream.next().value as BinaryOperator;
    left = { kind: 'binary', operator, left, right: parseConcat(stream) };
  }
  return left;
}

function parseConcat(stream: TokenStream): Expression {
  const first = parseProduct(stream);
  const items = [first];
  while (stream.skip('operator', '~')) items.push(parseProduct(stream));
  return items.length > 1 ? { kind: 'concat', items } : first;
}

function parseProduct(stream: TokenStream): Expression {
  let left = parsePower(stream);
  while (stream.isOperator('*', '/', '//', '%')) {
    const operator = stream.next().value as BinaryOperator;
    left = { kind: 'binary', operator, left, right: parsePower(stream) };
  }
  return left;
}

function parsePower(stream: TokenStream): Expression {
  let left = parseUnary(stream);
  while (stream.skip('operator', '**')) {
    left = { kind: 'binary', operator: '**', left, right: parseUnary(stream) };
  }
  return left;
}

function parseUnary(stream: TokenStream, hasFilters = true): Expression {
  const sign = stream.isOperator('-', '+') ? stream.next().value : undefined;
  const node: Expression =
    sign === undefined
      ? parsePrimary(stream)
      : {
          kind: sign === '-' ? 'negative' : 'positive',
          operand: stream.nested(() => parseUnary(stream, false)),
        };
  const whole = parsePostfix(stream, node);
  return hasFilters ? parseFilters(stream, whole) : whole;
}

function parsePrimary(stream: TokenStream): Expression {
  const { type, value } = stream.current;
  if (type === 'name') {
    stream.next();
    const constant = CONSTANTS.get(value);
    return constant === undefined ? { kind: 'name', name: value } : { kind: 'constant', value: constant };
  }
  if (type === 'string') {
    let text = '';
    while (stream.is('string')) text += unescaped(stream.next().value.slice(1, -1));
    return { kind: 'constant', value: text };
  }
  if (type === 'integer') return { kind: 'constant', value: BigInt(stream.next().value.replaceAll('_', '')) };
  if (type === 'float') return { kind: 'constant', value: Number(stream.next().value.replaceAll('_', '')) };
  if (stream.skip('operator', '(')) {
    const inner = parseTuple(stream, { isClosed: true });
    stream.expect('operator', ')');
    return inner;
  }
  if (stream.skip('operator', '[')) {
    return { kind: 'list', items: parseItems(stream, ']', () => parseExpression(stream)) };
  }
  if (stream.skip('operator', '{'))
    return { kind: 'dict', pairs: parseItems(stream, '}', () => parsePair(stream)) };
  throw stream.unexpected();
}

function parseItems<T>(stream: TokenStream, end: string, parse: () => T): T[] {
  const items: T[] = [];
  while (!stream.skip('operator', end)) {
    if (items.length > 0) {
      stream.expect('operator', ',');
      if (stream.skip('operator', end)) break;
    }
    items.push(parse());
  }
  return items;
}

function parsePair(stream: TokenStream): readonly [Expression, Expression] {
  const key = parseExpression(stream);
  stream.expect('operator', ':');
  return [key, parseExpression(stream)];
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\n': '',
};

/** Escapes as in Python's literals; an unknown one stays as it is written. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g,
    (whole, x?: string, u?: string, long?: string, octal?: string, letter?: string) => {
      const hex = x ?? u ?? long;
      if (hex !== undefined) return codePoint(Number.parseInt(hex, 16), whole);
      if (octal !== undefined) return codePoint(Number.parseInt(octal, 8), whole);
      const plain = letter ?? '';
      if (plain === '\\' || plain === "'" || plain === '"') return plain;
      return ESCAPES[plain] ?? whole;
    },
  );
}

function codePoint(code: number, otherwise: string): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : otherwise;
}

function parsePostfix(stream: TokenStream, node: Expression): Expression {
  let object = node;
  for (;;) {
    if (stream.skip('operator', '.')) object = parseMember(stream, object);
    else if (stream.skip('operator', '[')) object = parseSubscript(stream, object);
    else if (stream.isOperator('(')) object = { kind: 'call', callee: object, given: parseArguments(stream) };
    else return object;
  }
}

function parseMember(stream: TokenStream, object: Expression): Expression {
  if (stream.is('integer')) {
    return { kind: 'item', object, key: { kind: 'constant', value: BigInt(stream.next().value) } };
  }
  return { kind: 'attribute', object, name: stream.expect('name').value };
}

function parseSubscript(stream: TokenStream, object: Expression): Expression {
  const parts: (Expression | (Expression | undefined)[])[] = [];
  do {
    if (parts.length > 0 && stream.isOperator(']')) break;
    parts.push(parseBounds(stream));
  } while (stream.skip('operator', ','));
  stream.expect('operator', ']');
  const [only] = parts;
  if (parts.length === 1 && only) {
    return Array.isArray(only)
      ? { kind: 'slice', object, bounds: only }
      : { kind: 'item', object, key: only };
  }
  const items = parts.map((part) => {
    if (Array.isArray(part)) throw stream.error('a slice beside another index');
    return part;
  });
  return { kind: 'item', object, key: { kind: 'tuple', items } };
}

/** An index, or start, stop and step of a slice. */
function parseBounds(stream: TokenStream): Expression | (Expression | undefined)[] {
  const bounds: (Expression | undefined)[] = [];
  if (!stream.isOperator(':')) {
    const index = parseExpression(stream);
    if (!stream.isOperator(':')) return index;
    bounds.push(index);
  } else bounds.push(undefined);
  while (bounds.length < 3 && stream.skip('operator', ':')) {
    bounds.push(stream.isOperator(']', ',', ':') ? undefined : parseExpression(stream));
  }
  return bounds;
}

/** Parses the arguments of a call in parentheses. */
export function parseArguments(stream: TokenStream): CallArguments {
  stream.expect('operator', '(');
  const args: Expression[] = [];
  const keywords: [string, Expression][] = [];
  let moreArgs: Expression | undefined;
  let moreKeywords: Expression | undefined;
  let isFirst = true;
  while (!stream.skip('operator', ')')) {
    if (!isFirst) {
      stream.expect('operator', ',');
      if (stream.skip('operator', ')')) break;
    }
    isFirst = false;
    const next = stream.peek(1);
    if (stream.skip('operator', '*')) moreArgs = parseExpression(stream);
    else if (stream.skip('operator', '**')) moreKeywords = parseExpression(stream);
    else if (stream.is('name') && next.type === 'operator' && next.value === '=') {
      const name = stream.next().value;
      stream.next();
      keywords.push([name, parseExpression(stream)]);
    } else if (keywords.length > 0 || moreKeywords) {
      throw stream.error('a positional argument after a named one');
    } else args.push(parseExpression(stream));
  }
  return { args, keywords, moreArgs, moreKeywords };
}

/** Filters, tests, and calls of what they give. */
function parseFilters(stream: TokenStream, node: Expression): Expression {
  let object = node;
  for (;;) {
    if (stream.skip('operator', '|')) object = parseFilter(stream, object);
    else if (stream.skip('name', 'is')) object = parseTest(stream, object);
    else if (stream.isOperator('(')) object = { kind: 'call', callee: object, given: parseArguments(stream) };
    else return object;
  }
}

/** A filter's name and arguments, without the bar before it. */
export function parseFilter(stream: TokenStream, object: Expression | undefined): Expression {
  const name = dotted(stream);
  const given = stream.isOperator('(') ? parseArguments(stream) : NO_ARGUMENTS;
  return { kind: 'filter', object, name, given };
}

function dotted(stream: TokenStream): string {
  let name = stream.expect('name').value;
  while (stream.skip('operator', '.')) name += `.${stream.expect('name').value}`;
  return name;
}

function parseTest(stream: TokenStream, object: Expression): Expression {
  const isNegated = stream.skip('name', 'not');
  const name = dotted(stream);
  const test: Expression = { kind: 'test', object, name, given: testArguments(stream) };
  return isNegated ? { kind: 'not', operand: test } : test;
}

function testArguments(stream: TokenStream): CallArguments {
  if (stream.isOperator('(')) return parseArguments(stream);
  const { type } = stream.current;
  const mayBegin = ['name', 'string', 'integer', 'float'].includes(type) || stream.isOperator('(', '[', '{');
  if (!mayBegin || stream.isName('else', 'or', 'and')) return NO_ARGUMENTS;
  if (stream.isName('is')) throw stream.error('a test follows a test');
  // `x is divisibleby 3 if y`: a name that continues the expression around it is no argument there.
  const argument = parsePostfix(stream, parsePrimary(stream));
  return { ...NO_ARGUMENTS, args: [argument] };
}
