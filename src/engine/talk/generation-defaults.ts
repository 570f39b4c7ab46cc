/** What a model's generation_config.json says about drawing tokens, as defaults of a reply. */
import { AtomoeError } from '../../errors.ts';
import type { JsonObject } from '../../io/json-file.ts';
import type { ModelSpec } from '../../models/spec.ts';
import { OPTION_RANGES, type NumberOption } from '../options.ts';

/** Defaults of a reply from the model's generation_config.json. */
export type GenerationDefaults = Readonly<Partial<Record<NumberOption, number>>> & {
  readonly stop?: readonly string[];
};

const NAMES = {
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  min_p: 'minP',
  repetition_penalty: 'repetitionPenalty',
  max_new_tokens: 'maxTokens',
} as const satisfies Record<string, NumberOption>;

/**
 * A key that is absent or null leaves our default. `do_sample: false` means temperature 0, whatever temperature is given
 * beside it; only an explicit false does. `top_k: -1` is another way to write 0. All else has to be a number in range.
 *
 * @throws {AtomoeError} bad-file - a value that no reply could use
 */
export function generationDefaults(config: JsonObject = {}): GenerationDefaults {
  const defaults: { -readonly [K in keyof GenerationDefaults]: GenerationDefaults[K] } = {};
  for (const [key, option] of Object.entries(NAMES)) {
    const value = config[key] ?? undefined;
    if (value !== undefined) defaults[option] = checked(key, value, option);
  }
  const sample = config['do_sample'] ?? undefined;
  if (sample !== undefined && typeof sample !== 'boolean') throw bad('do_sample', sample, 'true or false');
  if (sample === false) defaults.temperature = 0;
  const stop = stopStrings(config['stop_strings'] ?? undefined);
  return stop.length > 0 ? { ...defaults, stop } : defaults;
}

/** One text or a list of them. */
function stopStrings(value: unknown): readonly string[] {
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const texts = list.filter((each) => typeof each === 'string' && each.length > 0) as string[];
  if (texts.length === list.length && list.length <= 1000) return texts;
  throw bad('stop_strings', value, 'a text or a list of texts');
}

/** Which ids end a reply, by config.json and generation_config.json, and which of them no token has. */
export function endsOf(
  { eosIds, vocab }: Pick<ModelSpec, 'eosIds' | 'vocab'>,
  config: JsonObject = {},
): { readonly ids: readonly number[]; readonly beyond: readonly unknown[] } {
  const all: unknown[] = [...eosIds, ...[config['eos_token_id'] ?? []].flat()];
  const isToken = (id: unknown): id is number =>
    typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocab;
  return { ids: [...new Set(all.filter(isToken))], beyond: all.filter((id) => !isToken(id)) };
}

function checked(key: string, value: unknown, option: NumberOption): number {
  const { least, most, ...range } = OPTION_RANGES[option];
  const isWhole = 'isWhole' in range;
  if (option === 'topK' && value === -1) return 0;
  if (option === 'maxTokens' && typeof value === 'number' && value > most) return most; // "no limit"
  const isRight = typeof value === 'number' && value >= least && value <= most;
  if (isRight && (!isWhole || Number.isInteger(value))) return value;
  throw bad(key, value, `${isWhole ? 'a whole number' : 'a number'} from ${least} to ${most}`);
}

function bad(key: string, value: unknown, wanted: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `generation_config.json: ${key} is ${String(JSON.stringify(value)).slice(0, 60)}; wanted ${wanted}; correct it or ` +
      'remove the line',
  );
}
