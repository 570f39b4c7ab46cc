/** Python's way to bind arguments to parameters. */
import { JinjaError } from './errors.ts';
import { type Arguments, type Keywords, type Value } from './values.ts';

/** `undefined` as a default: the argument has to be given. */
export type Parameters = readonly (readonly [string, Value | undefined])[];

/**
 * Assigns arguments to parameters by position and by name.
 * @throws {JinjaError} too many, unknown, given twice, or missing
 */
export function bind(name: string, parameters: Parameters, args: Arguments, keywords: Keywords): Value[] {
  if (args.length > parameters.length) {
    throw new JinjaError(`${name}() takes ${parameters.length} arguments but ${args.length} were given`);
  }
  for (const keyword of keywords.keys()) {
    const at = parameters.findIndex(([parameter]) => parameter === keyword);
    if (at < 0) throw new JinjaError(`${name}() got an unexpected keyword argument '${keyword}'`);
    if (at < args.length) throw new JinjaError(`${name}() got multiple values for argument '${keyword}'`);
  }
  return parameters.map(([parameter, fallback], i) => {
    const isGiven = i >= args.length && keywords.has(parameter);
    const value = i < args.length ? args[i] : isGiven ? keywords.get(parameter) : fallback;
    if (value === undefined) throw new JinjaError(`${name}() missing an argument: '${parameter}'`);
    return value;
  });
}
