import { AtomoeError } from '../errors.ts';
import type { GenerateOptions } from './api.ts';

export type CheckedOptions = Required<Omit<GenerateOptions, 'signal' | 'seed' | 'logprobs'>> &
  Pick<GenerateOptions, 'signal'> & { readonly seed: number; readonly logprobs: number | undefined };

interface Range {
  readonly fallback: number;
  readonly least: number;
  readonly most: number;
  readonly isWhole?: boolean;
}

export const OPTION_RANGES = {
  maxTokens: { fallback: 256, least: 1, most: 1_000_000, isWhole: true },
  temperature: { fallback: 0.8, least: 0, most: 10 },
  topK: { fallback: 0, least: 0, most: 1_000_000, isWhole: true },
  topP: { fallback: 0.95, least: 0, most: 1 },
  minP: { fallback: 0, least: 0, most: 1 },
  repetitionPenalty: { fallback: 1, least: 0.01, most: 100 },
  seed: { fallback: -1, least: 0, most: Number.MAX_SAFE_INTEGER, isWhole: true },
  logprobs: { fallback: -1, least: 0, most: 20, isWhole: true },
} as const satisfies Record<string, Range>;

export type NumberOption = keyof typeof OPTION_RANGES;

const OTHERS = ['stop', 'reusePrefix', 'routes', 'signal'];

/**
 * Fills in defaults and refuses what is out of range.
 *
 * @param defaults - the model's own, see generation-defaults.ts
 *
 * @throws {AtomoeError} bad-input - names the option, what it is, and what it may be
 */
export function checkOptions(
  options: GenerateOptions,
  drawSeed: () => number,
  defaults: Partial<Record<NumberOption, number>> = {},
): CheckedOptions {
  for (const name of Object.keys(options)) {
    if (!(name in OPTION_RANGES) && !OTHERS.includes(name)) {
      const known = [...Object.keys(OPTION_RANGES), ...OTHERS].join(', ');
      throw new AtomoeError(
        'bad-input',
        `unknown option "${name}"; wanted one of ${known}; check the spelling`,
      );
    }
  }
  const number = (name: NumberOption) =>
    inRange(name, options[name] === undefined ? defaults[name] : options[name]);
  const seed = number('seed');
  const logprobs = number('logprobs');
  return {
    maxTokens: number('maxTokens'),
    temperature: number('temperature'),
    topK: number('topK'),
    topP: number('topP'),
    minP: number('minP'),
    repetitionPenalty: number('repetitionPenalty'),
    seed: seed < 0 ? drawSeed() : seed,
    logprobs: logprobs < 0 ? undefined : logprobs,
    stop: checkStop(options.stop ?? []),
    reusePrefix: options.reusePrefix ?? true,
    routes: options.routes ?? false,
    ...(options.signal ? { signal: options.signal } : {}),
  };
}

function inRange(name: NumberOption, value: number | undefined): number {
  const range: Range = OPTION_RANGES[name];
  if (value === undefined) return range.fallback;
  const isRight = Number.isFinite(value) && value >= range.least && value <= range.most;
  if (isRight && (!range.isWhole || Number.isInteger(value))) return value;
  const kind = range.isWhole ? 'a whole number' : 'a number';
  throw new AtomoeError(
    'bad-input',
    `${name} is ${value}; wanted ${kind} from ${range.least} to ${range.most}; leave it out for ` +
      `${range.fallback < 0 ? 'none' : range.fallback}`,
  );
}

function checkStop(stop: readonly string[]): readonly string[] {
  if (stop.some((text) => typeof text !== 'string' || text.length === 0)) {
    throw new AtomoeError(
      'bad-input',
      'stop holds an empty string; wanted text of one character or more; leave it out',
    );
  }
  return stop;
}
