/** The types of tools' parameters, for formats that write a value as plain text. */
import { isObject, parseJson } from './format.ts';
import { readPython } from './literals.ts';

/** The JSON types that a parameter of a tool may have; undefined where its schema does not say. */
export type ParameterTypes = (tool: string, parameter: string) => ReadonlySet<string> | undefined;

/** The deepest nesting of `$ref`, `anyOf` and the like that is followed. */
const DEEPEST = 16;

/** @param tools - as OpenAI has them */
export function parameterTypes(tools: readonly object[]): ParameterTypes {
  const schemas = new Map(
    tools.map((tool) => {
      const called = field(tool, 'function');
      return [field(called, 'name'), field(called, 'parameters')] as const;
    }),
  );
  return (tool, parameter) => {
    const root = schemas.get(tool);
    const properties = field(root, 'properties');
    if (!isObject(properties) || !Object.hasOwn(properties, parameter)) return undefined;
    const types = new Set(typesIn(properties[parameter], root, DEEPEST));
    return types.size > 0 ? types : undefined;
  };
}

/**
 * The JSON of a value that is written as text: of a string as it is, of all else as JSON or a Python literal. What does not
 * fit the types is a string.
 */
export function jsonOfText(text: string, types: ReadonlySet<string> | undefined): string {
  const asText = JSON.stringify(text);
  if (types?.size === 1 && types.has('string')) return asText;
  const plain = text.trim();
  const json = parseJson(plain) === undefined ? readPython(plain) : plain;
  if (json === undefined) return asText;
  const type = typeOf(parseJson(json));
  if (type === 'string') return types?.has('string') === true ? asText : json;
  const fits = !types?.has('string') || types.has(type) || (type === 'integer' && types.has('number'));
  return fits ? json : asText;
}

/** The JSON of an object whose values are JSON. */
export function jsonOfMembers(members: Iterable<readonly [key: string, json: string]>): string {
  return `{${Array.from(new Map(members), ([key, json]) => `${JSON.stringify(key)}:${json}`).join(',')}}`;
}

function typesIn(schema: unknown, root: unknown, depth: number): string[] {
  if (!isObject(schema) || depth === 0) return [];
  const { type, enum: values, $ref: target } = schema;
  const named = [type].flat().filter((each) => typeof each === 'string');
  if (named.length > 0) return named;
  if (Array.isArray(values)) return values.map(typeOf);
  if ('const' in schema) return [typeOf(schema['const'])];
  if (typeof target === 'string') return typesIn(referred(target, root), root, depth - 1);
  const choices = ['anyOf', 'oneOf', 'allOf'].flatMap((key) => schema[key] ?? []);
  return choices.flatMap((choice) => typesIn(choice, root, depth - 1));
}

/** What `#/$defs/NAME` and the like stand for. */
function referred(target: string, root: unknown): unknown {
  const names = target.split('/').slice(1);
  return names.reduce<unknown>((at, name) => field(at, name), root);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function field(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
