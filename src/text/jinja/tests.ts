/** The tests of Jinja2: `x is NAME`. */
import { JinjaError } from './errors.ts';
import { FILTERS } from './filters.ts';
import { calculate } from './numbers.ts';
import { contains, tryLength } from './objects.ts';
import { str } from './text.ts';
import {
  Callable,
  compare,
  Dict,
  equals,
  isNumber,
  isTrue,
  Iter,
  Thing,
  Undefined,
  View,
  type Arguments,
  type Value,
} from './values.ts';

type Test = (value: Value, args: Arguments) => boolean;

function isIterable(value: Value): boolean {
  if (value instanceof Iter || value instanceof View) return true;
  if (value instanceof Thing) return value.type === 'LoopContext';
  return tryLength(value) !== undefined;
}

function isSequence(value: Value): boolean {
  return !(value instanceof View || value instanceof Thing) && tryLength(value) !== undefined;
}

const one = (args: Arguments): Value => {
  const [first] = args;
  if (first === undefined || args.length > 1)
    throw new JinjaError(`a test got ${args.length} arguments, 1 is wanted`);
  return first;
};

const is =
  (test: (order: number) => boolean): Test =>
  (value, args) =>
    test(compare(value, one(args)));
const same: Test = (value, args) => equals(value, one(args));
const differs: Test = (value, args) => !equals(value, one(args));
const greater = is((order) => order > 0);
const less = is((order) => order < 0);
const atLeast = is((order) => order >= 0);
const atMost = is((order) => order <= 0);
const remainder = (value: Value, by: Value) => calculate('%', value, by);

/** The built-in tests (`is ...`) by name. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', (value) => !(value instanceof Undefined)],
  ['undefined', (value) => value instanceof Undefined],
  ['none', (value) => value === null],
  ['boolean', (value) => typeof value === 'boolean'],
  ['true', (value) => value === true],
  ['false', (value) => value === false],
  ['integer', (value) => typeof value === 'bigint'],
  ['float', (value) => typeof value === 'number'],
  ['number', isNumber],
  ['string', (value) => typeof value === 'string'],
  ['mapping', (value) => value instanceof Dict],
  ['sequence', isSequence],
  ['iterable', isIterable],
  ['callable', (value) => value instanceof Callable || (value instanceof Thing && value.call !== undefined)],
  ['sameas', (value, args) => Object.is(value, one(args))],
  ['escaped', () => false],
  ['in', (value, args) => contains(one(args), value)],
  ['divisibleby', (value, args) => !isTrue(remainder(value, one(args)))],
  ['even', (value) => equals(remainder(value, 2n), 0n)],
  ['odd', (value) => equals(remainder(value, 2n), 1n)],
  ['lower', (value) => /\p{Ll}/u.test(str(value)) && !/[\p{Lu}\p{Lt}]/u.test(str(value))],
  ['upper', (value) => /\p{Lu}/u.test(str(value)) && !/[\p{Ll}\p{Lt}]/u.test(str(value))],
  ['filter', (value) => typeof value === 'string' && FILTERS.has(value)],
  ['test', (value) => typeof value === 'string' && hasTest(value)],
  ...named(same, 'eq', '==', 'equalto'),
  ...named(differs, 'ne', '!='),
  ...named(greater, 'gt', '>', 'greaterthan'),
  ...named(less, 'lt', '<', 'lessthan'),
  ...named(atLeast, 'ge', '>='),
  ...named(atMost, 'le', '<='),
]);

function named(test: Test, ...names: string[]): [string, Test][] {
  return names.map((name) => [name, test]);
}

function hasTest(name: string): boolean {
  return TESTS.has(name);
}
