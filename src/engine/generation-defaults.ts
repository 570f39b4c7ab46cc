/** What a model's generation_config.json says about drawing tokens, as defaults of a reply. */
import { AtomoeError } from '../errors.ts';
import type { JsonObject } from '../formats/json-file.ts';
import { OPTION_RANGES, type NumberOption } from './options.ts';

export type GenerationDefaults = Readonly<Partial<Record<NumberOption, number>>>;

const NAMES = {
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  min_p: 'minP',
  repetition_penalty: 'repetitionPenalty',
  max_new_tokens: 'maxTokens',
} as const satisfies Record<string, NumberOption>;

/**
 * A key that is absent or null leaves our default. `do_sample: false` means temperature 0, whatever temperature stands
 * beside it; only an explicit false does. `top_k: -1` is another way to write 0. All else has to be a number in range.
 *
 * @throws {AtomoeError} bad-file - a value that no reply could use
 */
export function generationDefaults(config: JsonObject = {}): GenerationDefaults {
  const defaults: Partial<Record<NumberOption, number>> = {};
  for (const [key, option] of Object.entries(NAMES)) {
    const value = config[key] ?? undefined;
    if (value !== undefined) defaults[option] = checked(key, value, option);
  }
  const sample = config['do_sample'] ?? undefined;
  if (sample !== undefined && typeof sample !== 'boolean') throw bad('do_sample', sample, 'true or false');
  if (sample === false) defaults.temperature = 0;
  return defaults;
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
