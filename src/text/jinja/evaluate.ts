/** The value of an expression. */
import type { CallArguments, Comparison, Expression } from './ast.ts';
import { spend } from './budget.ts';
import { JinjaError, JinjaSyntaxError, UnsupportedError, type TemplateError } from './errors.ts';
import type { Library } from './filter.ts';
import { FILTERS } from './filters.ts';
import { calculate, negated, positive } from './numbers.ts';
import { contains, getAttribute, getItem, slice } from './objects.ts';
import type { Scope } from './scope.ts';
import { TESTS } from './tests.ts';
import { joined, str } from './text.ts';
import {
  Callable,
  compare,
  Dict,
  equals,
  isTrue,
  iterate,
  Thing,
  Tuple,
  typeName,
  Undefined,
  type Arguments,
  type Keywords,
  type Value,
} from './values.ts';

/** Macros that call themselves forever would fill the stack. Published templates go ten deep. */
const DEEPEST_CALL = 200;

/** A call makes scopes, lists and functions. */
const STEPS_PER_CALL = 10;

let depth = 0; // of calls: rendering is never interrupted by another

/** Filters, tests and calls as filters may use them. */
export const LIBRARY: Library = {
  filter(name, value, args, keywords) {
    spend();
    const filter = FILTERS.get(name);
    if (!filter) throw unknownFilter(name);
    return filter(value, args, keywords, LIBRARY);
  },
  test(name, value, args) {
    spend();
    const test = TESTS.get(name);
    if (!test) throw new JinjaSyntaxError(`No test named '${name}'.`);
    return test(value, args);
  },
};

/** Filters of Jinja2 that no prompt needs: two are for web pages, one draws by chance, two lay out text. */
const LACKING = ['pprint', 'random', 'urlize', 'wordwrap', 'xmlattr'];

function unknownFilter(name: string): TemplateError {
  return LACKING.includes(name)
    ? new UnsupportedError(`the filter "${name}"`)
    : new JinjaSyntaxError(`No filter named '${name}'.`);
}

/**
 * The value of an expression in a scope.
 * @throws {TemplateError} as Jinja2 would
 */
export function evaluate(node: Expression, scope: Scope): Value {
  spend();
  switch (node.kind) {
    case 'constant':
      return node.value;
    case 'name':
      return scope.get(node.name);
    case 'list':
      return node.items.map((item) => evaluate(item, scope));
    case 'tuple':
      return new Tuple(node.items.map((item) => evaluate(item, scope)));
    case 'dict':
      return Dict.of(
        node.pairs.map(([key, value]) => [evaluate(key, scope), evaluate(value, scope)] as const),
      );
    case 'concat':
      return joined(
        node.items.map((item) => str(evaluate(item, scope))),
        '',
      );
    case 'attribute':
      return getAttribute(evaluate(node.object, scope), node.name);
    case 'item':
      return getItem(evaluate(node.object, scope), evaluate(node.key, scope));
    case 'slice':
      return slice(
        evaluate(node.object, scope),
        node.bounds.map((bound) => bound && evaluate(bound, scope)),
      );
    default:
      return evaluateOperation(node, scope);
  }
}

type Operation = Exclude<
  Expression,
  { kind: 'constant' | 'name' | 'list' | 'tuple' | 'dict' | 'concat' | 'attribute' | 'item' | 'slice' }
>;

function evaluateOperation(node: Operation, scope: Scope): Value {
  switch (node.kind) {
    case 'call': {
      const callee = evaluate(node.callee, scope);
      const [args, keywords] = evaluateArguments(node.given, scope);
      return call(callee, args, keywords);
    }
    case 'filter':
      if (!node.object) throw new JinjaError('a filter has nothing to filter');
      return applyFilter(node, evaluate(node.object, scope), scope);
    case 'test': {
      const value = evaluate(node.object, scope);
      const [args, keywords] = evaluateArguments(node.given, scope);
      return LIBRARY.test(node.name, value, [...args, ...keywords.values()], keywords);
    }
    case 'not':
      return !isTrue(evaluate(node.operand, scope));
    case 'negative':
      return negated(evaluate(node.operand, scope));
    case 'positive':
      return positive(evaluate(node.operand, scope));
    case 'and':
    case 'or': {
      const left = evaluate(node.left, scope);
      return isTrue(left) === (node.kind === 'or') ? left : evaluate(node.right, scope);
    }
    case 'binary':
      return calculate(node.operator, evaluate(node.left, scope), evaluate(node.right, scope));
    case 'compare':
      return evaluateComparison(node, scope);
    case 'condition': {
      const chosen = isTrue(evaluate(node.test, scope)) ? node.chosen : node.otherwise;
      if (chosen) return evaluate(chosen, scope);
      return new Undefined('the inline if-expression evaluated to false and no else section was defined.');
    }
  }
}

/** `a < b < c`, each evaluated once, up to the first that does not hold. */
function evaluateComparison(
  { first, rest }: Extract<Expression, { kind: 'compare' }>,
  scope: Scope,
): boolean {
  let left = evaluate(first, scope);
  for (const [operator, operand] of rest) {
    const right = evaluate(operand, scope);
    if (!holds(operator, left, right)) return false;
    left = right;
  }
  return true;
}

function holds(operator: Comparison, a: Value, b: Value): boolean {
  switch (operator) {
    case '==':
      return equals(a, b);
    case '!=':
      return !equals(a, b);
    case 'in':
      return contains(b, a);
    case 'not in':
      return !contains(b, a);
    case '<':
      return compare(a, b) < 0;
    case '<=':
      return compare(a, b) <= 0;
    case '>':
      return compare(a, b) > 0;
    case '>=':
      return compare(a, b) >= 0;
  }
}

/** The values of the arguments of a call. */
export function evaluateArguments(given: CallArguments, scope: Scope): [Arguments, Keywords] {
  const args = given.args.map((arg) => evaluate(arg, scope));
  if (given.moreArgs) args.push(...iterate(evaluate(given.moreArgs, scope)));
  const keywords = new Map(given.keywords.map(([name, value]) => [name, evaluate(value, scope)]));
  if (given.moreKeywords) {
    const more = evaluate(given.moreKeywords, scope);
    if (!(more instanceof Dict)) throw new JinjaError('argument after ** must be a mapping');
    for (const [name, value] of more.pairs()) keywords.set(str(name), value);
  }
  return [args, keywords];
}

/**
 * Calls a value.
 * @throws {TemplateError} it cannot be called
 */
export function call(callee: Value, args: Arguments, keywords: Keywords): Value {
  if (callee instanceof Undefined) callee.fail();
  const isCallable = callee instanceof Callable || (callee instanceof Thing && callee.call !== undefined);
  if (!isCallable) throw new JinjaError(`'${typeName(callee)}' object is not callable`);
  if (depth >= DEEPEST_CALL) throw new JinjaError(`calls are nested deeper than ${DEEPEST_CALL}`);
  depth++;
  spend(STEPS_PER_CALL);
  try {
    return callee.call?.(args, keywords) ?? null;
  } finally {
    depth--;
  }
}

/** A chain of filters whose innermost has no object is applied to the text of a block. */
export function applyFilter(
  node: Extract<Expression, { kind: 'filter' }>,
  value: Value,
  scope: Scope,
): Value {
  const [args, keywords] = evaluateArguments(node.given, scope);
  return LIBRARY.filter(node.name, value, args, keywords);
}

/** Applies the filters of a `filter` block to its text. */
export function filterBlock(node: Expression, text: string, scope: Scope): Value {
  if (node.kind !== 'filter') return text;
  return applyFilter(node, node.object ? filterBlock(node.object, text, scope) : text, scope);
}
