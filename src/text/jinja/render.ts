/** Runs the statements of a template. */
import type { Signature, Statement, Target } from './ast.ts';
import { spend, withBudget } from './budget.ts';
import { JinjaError, placed, UnsupportedError } from './errors.ts';
import { call, evaluate, evaluateArguments, filterBlock } from './evaluate.ts';
import { makeGlobals } from './globals.ts';
import { LoopContext } from './loop.ts';
import { Output, Scope } from './scope.ts';
import { str } from './text.ts';
import {
  Callable,
  Dict,
  fromJs,
  isTrue,
  iterate,
  Namespace,
  orElse,
  Tuple,
  Undefined,
  type Arguments,
  type Keywords,
  type Value,
} from './values.ts';

type Body = readonly Statement[];
type Jump = 'break' | 'continue' | undefined;

/** What a template is rendered with. */
export interface RenderContext {
  /** Variables as JSON has them. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** The date in some form, for `strftime_now`. */
  readonly strftime: (format: string) => string;
  /** For tests. */
  readonly steps?: number;
}

/**
 * @throws {TemplateError} the template refuses what it is given, fails, does not end, or makes too long a text
 */
export function renderTemplate(template: Body, { variables, strftime, steps }: RenderContext): string {
  return withBudget(() => {
    const names = new Map(makeGlobals(strftime));
    for (const [name, value] of Object.entries(variables)) {
      if (value !== undefined) names.set(name, fromJs(value));
    }
    const output = new Output();
    run(template, new Scope(names), output);
    return output.text;
  }, steps);
}

function run(body: Body, scope: Scope, output: Output): Jump {
  for (const statement of body) {
    const jump = runPlaced(statement, scope, output);
    if (jump) return jump;
  }
  return undefined;
}

function runPlaced(statement: Statement, scope: Scope, output: Output): Jump {
  try {
    return runStatement(statement, scope, output);
  } catch (cause) {
    throw placed(cause, statement.line);
  }
}

function runText(body: Body, scope: Scope): string {
  const output = new Output();
  run(body, scope, output);
  return output.text;
}

function runStatement(statement: Statement, scope: Scope, output: Output): Jump {
  spend();
  switch (statement.kind) {
    case 'text':
      output.write(statement.text);
      return undefined;
    case 'print':
      output.write(str(evaluate(statement.value, scope)));
      return undefined;
    case 'if':
      return runIf(statement, scope, output);
    case 'for':
      runFor(statement, evaluate(statement.items, scope), scope, output, 0);
      return undefined;
    case 'set':
      assign(statement.target, evaluate(statement.value, scope), scope);
      return undefined;
    case 'break':
    case 'continue':
      return statement.kind;
    default:
      return runBlock(statement, scope, output);
  }
}

type BlockStatement = Exclude<
  Statement,
  { kind: 'text' | 'print' | 'if' | 'for' | 'set' | 'break' | 'continue' }
>;

function runBlock(statement: BlockStatement, scope: Scope, output: Output): Jump {
  switch (statement.kind) {
    case 'set-block': {
      const text = runText(statement.body, new Scope(scope));
      const value = statement.filter ? filterBlock(statement.filter, text, scope) : text;
      assign(statement.target, value, scope);
      return undefined;
    }
    case 'macro':
      scope.set(statement.name, makeMacro(statement, scope));
      return undefined;
    case 'call-block': {
      const { call: node, signature, body } = statement;
      const caller = makeMacro({ name: 'caller', signature, body }, scope);
      const [args, keywords] = evaluateArguments(node.given, scope);
      const callee = evaluate(node.callee, scope);
      output.write(str(call(callee, args, new Map([...keywords, ['caller', caller]]))));
      return undefined;
    }
    case 'filter-block': {
      const text = runText(statement.body, new Scope(scope));
      output.write(str(filterBlock(statement.filter, text, scope)));
      return undefined;
    }
    case 'with': {
      const inner = new Scope(scope);
      for (const [target, value] of statement.bindings) assign(target, evaluate(value, scope), inner);
      return run(statement.body, inner, output);
    }
    case 'scope':
    case 'block':
      return run(statement.body, new Scope(scope), output);
    case 'refused':
      throw new UnsupportedError(`the tag "${statement.tag}" needs another template, and a model has one`);
  }
}

function runIf(
  { branches, otherwise }: Extract<Statement, { kind: 'if' }>,
  scope: Scope,
  output: Output,
): Jump {
  for (const { test, body } of branches) {
    if (isTrue(evaluate(test, scope))) return run(body, scope, output);
  }
  return run(otherwise, scope, output);
}

function runFor(
  statement: Extract<Statement, { kind: 'for' }>,
  value: Value,
  scope: Scope,
  output: Output,
  depth: number,
): void {
  const { target, test, body, otherwise, isRecursive } = statement;
  const items = [...iterate(value)].filter((item) => {
    if (!test) return true;
    const inner = new Scope(scope);
    assign(target, item, inner);
    return isTrue(evaluate(test, inner));
  });
  const recurse = (inner: Value) => {
    const text = new Output();
    runFor(statement, inner, scope, text, depth + 1);
    return text.text;
  };
  const loop = new LoopContext(items, depth, isRecursive ? recurse : undefined);
  for (const item of items) {
    loop.step();
    const inner = new Scope(scope);
    inner.set('loop', loop);
    assign(target, item, inner);
    if (run(body, inner, output) === 'break') break;
  }
  if (items.length === 0) run(otherwise, new Scope(scope), output);
}

function assign(target: Target, value: Value, scope: Scope): void {
  if (target.kind === 'name') scope.set(target.name, value);
  else if (target.kind === 'member') {
    const namespace = scope.get(target.name);
    if (!(namespace instanceof Namespace)) {
      throw new JinjaError('cannot assign attribute on non-namespace object');
    }
    namespace.values.set(target.attribute, value);
  } else {
    const items = [...iterate(value)];
    if (items.length !== target.items.length) {
      throw new JinjaError(`${target.items.length} values to unpack are expected, got ${items.length}`);
    }
    for (const [i, inner] of target.items.entries()) assign(inner, items[i] ?? null, scope);
  }
}

interface MacroParts {
  readonly name: string;
  readonly signature: Signature;
  readonly body: Body;
}

function makeMacro({ name, signature, body }: MacroParts, scope: Scope): Callable {
  const { names, defaults } = signature;
  const uses = (special: string) => !names.includes(special) && mentions(body, special);
  const [takesMore, takesKeywords, takesCaller] = [uses('varargs'), uses('kwargs'), uses('caller')];
  const attributes = {
    name,
    arguments: new Tuple(names),
    caller: takesCaller,
    catch_varargs: takesMore,
    catch_kwargs: takesKeywords,
  };
  const invoke = (args: Arguments, keywords: Keywords): Value => {
    const inner = new Scope(scope);
    const rest = new Map(keywords);
    const given = names.map((parameter, i) => {
      const value = i < args.length ? args[i] : rest.get(parameter);
      if (i >= args.length) rest.delete(parameter);
      return value;
    });
    if (takesCaller) {
      inner.set(
        'caller',
        orElse(rest.get('caller'), () => new Undefined('No caller defined')),
      );
      rest.delete('caller');
    }
    if (takesKeywords) inner.set('kwargs', Dict.of(rest));
    else if (rest.size > 0) {
      throw new JinjaError(`macro '${name}' takes no keyword argument '${[...rest.keys()][0]}'`);
    }
    if (takesMore) inner.set('varargs', new Tuple(args.slice(names.length)));
    else if (args.length > names.length) {
      throw new JinjaError(`macro '${name}' takes not more than ${names.length} argument(s)`);
    }
    for (const [i, parameter] of names.entries()) {
      const fallback = defaults[i - (names.length - defaults.length)];
      const absent = () => new Undefined(`parameter '${parameter}' was not provided`);
      inner.set(parameter, orElse(given[i], fallback ? () => evaluate(fallback, inner) : absent));
    }
    return runText(body, inner);
  };
  return new Callable(name, invoke, attributes);
}

/** Whether a name occurs anywhere in a tree: `varargs` and the like are made only where they do. */
function mentions(tree: unknown, name: string): boolean {
  if (typeof tree !== 'object' || tree === null) return false;
  if ('kind' in tree && tree.kind === 'name' && 'name' in tree && tree.name === name) return true;
  return Object.values(tree).some((branch) => mentions(branch, name));
}
