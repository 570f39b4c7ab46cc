/**
 * How models write calls of tools: one file for each format, and the table of all. Loaded with the first chat that has tools. `docs/TOOLS.md` says
 * which families write which.
 */
import { ARG_KEYS } from './arg-keys.ts';
import { DEEPSEEK } from './deepseek.ts';
import type { ChatTurn, RenderOptions } from '../chat-template.ts';
import type { CallFormat, CallMarkers } from './format.ts';
import { FUNCTION_XML } from './function-xml.ts';
import { GEMMA } from './gemma.ts';
import { HARMONY } from './harmony.ts';
import { DSML, MINIMAX } from './invoke-xml.ts';
import { COHERE, GRANITE, HERMES, LONGCAT, NEMOTRON, TOOL_CALLS } from './json.ts';
import { KIMI } from './kimi.ts';
import { LFM } from './lfm.ts';
import { LLAMA } from './llama.ts';
import { MISTRAL } from './mistral.ts';
import { parameterTypes } from './schema.ts';
import { SOLAR } from './solar.ts';
import { turnsFor } from './turns.ts';

/** All formats. The first that fits a model is its own: formats whose signs others have, too, come last. */
export const CALL_FORMATS: Readonly<Record<string, CallFormat>> = {
  harmony: HARMONY,
  gemma: GEMMA,
  lfm: LFM,
  kimi: KIMI,
  dsml: DSML,
  deepseek: DEEPSEEK,
  minimax: MINIMAX,
  mistral: MISTRAL,
  solar: SOLAR,
  cohere: COHERE,
  nemotron: NEMOTRON,
  'function-xml': FUNCTION_XML,
  'arg-keys': ARG_KEYS,
  longcat: LONGCAT,
  'tool-calls': TOOL_CALLS,
  hermes: HERMES,
  granite: GRANITE,
  llama: LLAMA,
};

/** The format of a model. The template counts; a vocabulary has tokens of formats that a model was never taught. */
export function callFormatOf(template: string, hasToken: (token: string) => boolean): CallFormat | undefined {
  const formats = Object.values(CALL_FORMATS);
  return (
    formats.find(({ signs }) => signs.some((sign) => template.includes(sign))) ??
    formats.find(({ tokens }) => tokens.length > 0 && tokens.every(hasToken))
  );
}

/**
 * How a model writes calls of tools.
 *
 * @param template - the source of its chat template
 * @param hasToken - whether its vocabulary has a token
 * @param tools - those that it was told of, as OpenAI has them
 * @returns undefined where neither template nor vocabulary shows a format: calls stay in the text
 */
export function callMarkersOf(
  template: string,
  hasToken: (token: string) => boolean,
  tools: readonly object[],
): CallMarkers | undefined {
  const names = new Set(tools.map((tool) => (tool as { function?: { name?: unknown } }).function?.name));
  const isTool = (name: string) => names.has(name);
  return callFormatOf(template, hasToken)?.markers({ template, types: parameterTypes(tools), isTool });
}

/** A chat in which there are tools, or calls of them. */
export interface ToolChat {
  readonly template: string; // the source of the model's chat template
  readonly hasToken: (token: string) => boolean;
  readonly turns: readonly ChatTurn[];
  readonly tools: readonly object[]; // as OpenAI has them
  readonly specialTokens: NonNullable<RenderOptions['specialTokens']>;
}

/** The messages as the template takes them, and the markers of calls, where the model is told of tools. */
export function withCalls({ template, hasToken, turns, tools, specialTokens }: ToolChat): {
  readonly turns: readonly ChatTurn[];
  readonly calls: CallMarkers | undefined;
} {
  return {
    turns: turnsFor(template, turns, callFormatOf(template, hasToken), specialTokens),
    calls: tools.length > 0 ? callMarkersOf(template, hasToken, tools) : undefined,
  };
}
