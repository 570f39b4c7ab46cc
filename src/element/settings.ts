/** What people may set for the replies of a chat, as plain data. What is not set is the page's choice, or the model's. */
import type { GenerateOptions } from '../engine/api.ts';

/** The settings of a chat. */
export interface ChatSettings {
  readonly systemPrompt?: string; // for models with a chat template
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly maxTokens?: number;
  readonly seed?: number; // undefined: another for each reply
}

/** A setting that is a number, with the values that the engine takes. */
export interface NumberSetting {
  readonly name: Exclude<keyof ChatSettings, 'systemPrompt'>;
  readonly least: number;
  readonly most: number;
  readonly step: number | 'any';
}

/** All settings that are numbers, in the order in which they are shown. */
export const NUMBER_SETTINGS: readonly NumberSetting[] = [
  { name: 'temperature', least: 0, most: 10, step: 'any' },
  { name: 'topP', least: 0, most: 1, step: 'any' },
  { name: 'topK', least: 0, most: 1_000_000, step: 1 },
  { name: 'minP', least: 0, most: 1, step: 'any' },
  { name: 'repetitionPenalty', least: 0.01, most: 100, step: 'any' },
  { name: 'maxTokens', least: 1, most: 1_000_000, step: 1 },
  { name: 'seed', least: 0, most: Number.MAX_SAFE_INTEGER, step: 1 },
];

/** Keeps what is a setting and within its range; the rest is dropped. */
export function readSettings(value: unknown): ChatSettings {
  if (typeof value !== 'object' || value === null) return {};
  const given = value as Readonly<Record<string, unknown>>;
  const numbers = NUMBER_SETTINGS.flatMap(({ name, least, most, step }) => {
    const number = given[name];
    if (typeof number !== 'number' || !(number >= least && number <= most)) return [];
    return step === 1 && !Number.isInteger(number) ? [] : [[name, number] as const];
  });
  const { systemPrompt } = given;
  const hasPrompt = typeof systemPrompt === 'string' && systemPrompt.trim() !== '';
  return { ...(hasPrompt ? { systemPrompt } : {}), ...Object.fromEntries(numbers) };
}

/**
 * The options of a reply.
 *
 * @param isVersion - of another reply to the same message: with the page's seed it would be the same again
 */
export function optionsOf(
  { systemPrompt: _, ...numbers }: ChatSettings,
  { seed, ...options }: GenerateOptions,
  isVersion = false,
): GenerateOptions {
  return { ...options, ...(seed === undefined || isVersion ? {} : { seed }), ...numbers };
}
