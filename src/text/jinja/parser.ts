import type { Action, Expression, Signature, Statement, Target } from './ast.ts';
import { parseExpression, parseFilter, parseTuple } from './expression-parser.ts';
import { tokenize } from './lexer.ts';
import { TokenStream } from './token-stream.ts';

/**
 * Parses a template as transformers does: Jinja2 with loop controls and the tag `generation`.
 *
 * @throws {JinjaSyntaxError}
 */
export function parseTemplate(source: string): readonly Statement[] {
  const stream = new TokenStream(tokenize(source));
  const body = parseBody(stream, []);
  if (stream.current.type !== 'eof') throw stream.unexpected();
  return body;
}

/** Statements up to a tag of one of these names, whose name is the next token. */
function parseBody(stream: TokenStream, ends: readonly string[]): Statement[] {
  return stream.nested(() => {
    const body: Statement[] = [];
    for (;;) {
      const { type, value, line } = stream.current;
      if (type === 'eof') {
        if (ends.length === 0) return body;
        throw stream.error(`the template ends before "${ends.join('" or "')}"`);
      }
      stream.next();
      if (type === 'data') body.push({ kind: 'text', text: value, line });
      else if (value === 'variable') {
        body.push({ kind: 'print', value: parseTuple(stream), line });
        stream.expect('end', 'variable');
      } else if (stream.isName(...ends)) return body;
      else {
        body.push(...parseTag(stream).map((action) => ({ ...action, line })));
        stream.expect('end', 'block');
      }
    }
  });
}

/** The tag writes one value after another. */
function parsePrintTag(stream: TokenStream): Action[] {
  const printed: Action[] = [];
  do printed.push({ kind: 'print', value: parseExpression(stream) });
  while (stream.skip('operator', ','));
  return printed;
}

/** Ends the opening tag, and takes the body and the name of the tag that ends it. */
function parseBlock(stream: TokenStream, ...ends: string[]): { body: Statement[]; end: string } {
  stream.skip('operator', ':');
  stream.expect('end', 'block');
  const body = parseBody(stream, ends);
  return { body, end: stream.next().value };
}

function parseTag(stream: TokenStream): Action[] {
  const tag = stream.expect('name').value;
  switch (tag) {
    case 'for':
      return [parseFor(stream)];
    case 'if':
      return [parseIf(stream)];
    case 'set':
      return [parseSet(stream)];
    case 'macro':
      return [parseMacro(stream)];
    case 'call':
      return [parseCallBlock(stream)];
    case 'filter':
      return [parseFilterBlock(stream)];
    case 'with':
      return [parseWith(stream)];
    case 'block':
      return [parseNamedBlock(stream)];
    case 'generation':
      return [{ kind: 'scope', body: parseBlock(stream, 'endgeneration').body }];
    case 'autoescape':
      parseExpression(stream); // prompts are not HTML
      return [{ kind: 'scope', body: parseBlock(stream, 'endautoescape').body }];
    case 'print':
      return parsePrintTag(stream);
    case 'break':
    case 'continue':
      return [{ kind: tag }];
    case 'include':
    case 'import':
    case 'from':
    case 'extends':
      while (!stream.is('end') && stream.current.type !== 'eof') stream.next();
      return [{ kind: 'refused', tag }];
    default:
      throw stream.error(`there is no tag "${tag}"`);
  }
}

function parseFor(stream: TokenStream): Action {
  const target = parseTarget(stream, 'in');
  stream.expect('name', 'in');
  const items = parseTuple(stream, { hasConditions: false, end: 'recursive' });
  const test = stream.skip('name', 'if') ? parseExpression(stream) : undefined;
  const isRecursive = stream.skip('name', 'recursive');
  const { body, end } = parseBlock(stream, 'endfor', 'else');
  const otherwise = end === 'else' ? parseBlock(stream, 'endfor').body : [];
  return { kind: 'for', target, items, test, isRecursive, body, otherwise };
}

function parseIf(stream: TokenStream): Action {
  const branches: { test: Expression; body: Statement[] }[] = [];
  for (;;) {
    const test = parseTuple(stream, { hasConditions: false });
    const { body, end } = parseBlock(stream, 'elif', 'else', 'endif');
    branches.push({ test, body });
    if (end === 'elif') continue;
    const otherwise = end === 'else' ? parseBlock(stream, 'endif').body : [];
    return { kind: 'if', branches, otherwise };
  }
}

function parseSet(stream: TokenStream): Action {
  const target = parseTarget(stream);
  if (stream.skip('operator', '=')) return { kind: 'set', target, value: parseTuple(stream) };
  let filter: Expression | undefined;
  while (stream.skip('operator', '|')) filter = parseFilter(stream, filter);
  return { kind: 'set-block', target, filter, body: parseBlock(stream, 'endset').body };
}

function parseTarget(stream: TokenStream, end?: string): Target {
  const items: Target[] = [];
  let isTuple = false;
  for (;;) {
    items.push(parseOneTarget(stream));
    if (!stream.skip('operator', ',')) break;
    isTuple = true;
    if (stream.isOperator('=', ')') || stream.is('end') || (end !== undefined && stream.isName(end))) break;
  }
  const [only] = items;
  return !isTuple && only ? only : { kind: 'targets', items };
}

function parseOneTarget(stream: TokenStream): Target {
  if (stream.skip('operator', '(')) {
    const inner = stream.nested(() => parseTarget(stream));
    stream.expect('operator', ')');
    return inner;
  }
  const name = parseName(stream);
  if (!stream.skip('operator', '.')) return { kind: 'name', name };
  return { kind: 'member', name, attribute: stream.expect('name').value };
}

const RESERVED = [
  'true',
  'True',
  'false',
  'False',
  'none',
  'None',
  'not',
  'and',
  'or',
  'in',
  'is',
  'if',
  'else',
];

function parseName(stream: TokenStream): string {
  const name = stream.expect('name').value;
  if (RESERVED.includes(name)) throw stream.error(`cannot assign to "${name}"`);
  return name;
}

function parseSignature(stream: TokenStream): Signature {
  const names: string[] = [];
  const defaults: Expression[] = [];
  stream.expect('operator', '(');
  while (!stream.skip('operator', ')')) {
    if (names.length > 0) {
      stream.expect('operator', ',');
      if (stream.skip('operator', ')')) break;
    }
    names.push(parseName(stream));
    if (stream.skip('operator', '=')) defaults.push(parseExpression(stream));
    else if (defaults.length > 0) throw stream.error('an argument without a default follows one with one');
  }
  return { names, defaults };
}

function parseMacro(stream: TokenStream): Action {
  const name = parseName(stream);
  const signature = parseSignature(stream);
  return { kind: 'macro', name, signature, body: parseBlock(stream, 'endmacro').body };
}

function parseCallBlock(stream: TokenStream): Action {
  const signature = stream.isOperator('(') ? parseSignature(stream) : { names: [], defaults: [] };
  const call = parseExpression(stream);
  if (call.kind !== 'call') throw stream.error('a call block without a call');
  return { kind: 'call-block', call, signature, body: parseBlock(stream, 'endcall').body };
}

function parseFilterBlock(stream: TokenStream): Action {
  let filter = parseFilter(stream, undefined);
  while (stream.skip('operator', '|')) filter = parseFilter(stream, filter);
  return { kind: 'filter-block', filter, body: parseBlock(stream, 'endfilter').body };
}

function parseWith(stream: TokenStream): Action {
  const bindings: [Target, Expression][] = [];
  while (!stream.is('end')) {
    if (bindings.length > 0) stream.expect('operator', ',');
    const target = parseTarget(stream);
    stream.expect('operator', '=');
    bindings.push([target, parseExpression(stream)]);
  }
  return { kind: 'with', bindings, body: parseBlock(stream, 'endwith').body };
}

function parseNamedBlock(stream: TokenStream): Action {
  stream.expect('name');
  while (stream.isName('scoped', 'required')) stream.next();
  const { body } = parseBlock(stream, 'endblock');
  if (stream.is('name')) stream.next();
  return { kind: 'block', body };
}
