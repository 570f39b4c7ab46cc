/** What every format of calls of tools has: how it is found, what begins and ends it, and how it is read. */
import type { ParameterTypes } from './schema.ts';

/** A call of a tool, as a reply has it. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: string; // JSON of an object
  readonly id?: string; // where the model writes one
}

/**
 * What a grammar puts around the JSON arguments of one call: `begin(name)`, an object that the tool's schema allows, `end`. All of it
 * together is a region that `CallMarkers.read` reads; several may follow one another, with a line break between them. Special tokens are
 * written as text, here and in what is read.
 */
export interface ForcedCall {
  begin(name: string): string;
  readonly end: string;
}

/** How one model writes calls of tools. A region of its reply, from an `open` to the next `close`, holds one or more. */
export interface CallMarkers {
  readonly open: readonly string[];
  readonly start?: readonly string[]; // as `open`, at the beginning of a reply only
  readonly close: string; // '' where only the end of the reply ends a region
  /** @returns none where the region, markers included, is anything else than calls. `close` may be missing where the end shows without it */
  read(region: string): readonly ToolCall[];
  readonly forced: ForcedCall | undefined; // undefined where arguments are not written as JSON
}

/** What a format needs to know of a model. */
export interface CallModel {
  readonly template: string; // the source of its chat template
  readonly types: ParameterTypes; // of the tools that it was told of
  readonly isTool: (name: string) => boolean;
}

/** A format. */
export interface CallFormat {
  readonly signs: readonly string[]; // any of these in a chat template shows the format
  readonly tokens: readonly string[]; // where no template shows one: all of these in the vocabulary do; none: only templates do
  markers(model: CallModel): CallMarkers;
  /** The text of calls, for templates that have no place for them: it is part of the message's content. */
  write?(calls: readonly ToolCall[]): string;
}

/** @param given - an object, or its JSON */
export function callOf(name: unknown, given: unknown, id?: unknown): ToolCall | undefined {
  const json = typeof given === 'string' ? given.trim() : JSON.stringify(given);
  if (typeof name !== 'string' || name === '' || !isObject(parseJson(json))) return undefined;
  return { name, arguments: json, ...(typeof id === 'string' && id !== '' ? { id } : {}) };
}

/** @returns undefined where the text is no JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text between the markers of a region. */
export function bodyOf(region: string, opens: readonly string[], close: string): string {
  const open = opens.find((each) => region.startsWith(each)) ?? '';
  const hasClose = close !== '' && region.endsWith(close);
  return region.slice(open.length, hasClose ? -close.length : undefined).trim();
}

/**
 * The calls of a text in which `pattern` matches each, with white space between them.
 *
 * @returns none where there is anything else, or one cannot be read
 */
export function readEach(
  body: string,
  pattern: RegExp,
  read: (match: RegExpMatchArray) => ToolCall | undefined,
): readonly ToolCall[] {
  if (body.replace(pattern, '').trim() !== '') return [];
  return allOrNone([...body.matchAll(pattern)].map(read));
}

/** The calls of several texts. @returns none where a text has none */
export function readParts(
  parts: readonly string[],
  read: (part: string) => readonly ToolCall[],
): readonly ToolCall[] {
  const found = parts.map(read);
  return found.every((calls) => calls.length > 0) ? found.flat() : [];
}

/** @returns none where one is missing */
export function allOrNone(calls: readonly (ToolCall | undefined)[]): readonly ToolCall[] {
  const found = calls.filter((call) => call !== undefined);
  return found.length === calls.length ? found : [];
}
