/** What a filter is, and how one with named parameters is made. */
import { bind, type Parameters } from './arguments.ts';
import type { Arguments, Keywords, Value } from './values.ts';

/** Filters and tests by name, for those that take one as an argument. */
export interface Library {
  filter(name: string, value: Value, args: Arguments, keywords: Keywords): Value;
  test(name: string, value: Value, args: Arguments, keywords: Keywords): boolean;
}

/** A filter: gets the value and the arguments as they were given. */
export type Filter = (value: Value, args: Arguments, keywords: Keywords, library: Library) => Value;

/** A filter that gets the arguments of its parameters, in their order. */
export function filter(
  name: string,
  parameters: Parameters,
  run: (value: Value, ...args: Value[]) => Value,
): [string, Filter] {
  return [name, (value, args, keywords) => run(value, ...bind(name, parameters, args, keywords))];
}
