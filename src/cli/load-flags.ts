/** Flags that set an option of the engine's `load`: a row for each, the one place in the CLI that knows it. */
import type { LoadOptions, StreamingOptions } from '../engine/api.ts';
import { readLoadOptions, STREAMING_DEFAULTS } from '../engine/options.ts';
import { POLICY_NAMES } from '../experts/policy-names.ts';
import { quantizedNames } from '../weights/formats/index.ts';
import { asUsage, type Arguments, type Option } from './arguments.ts';

interface LoadFlag extends Option {
  /** The option, or the option of `streaming`, that it sets. */
  readonly sets: keyof LoadOptions | `streaming.${keyof StreamingOptions}`;
  /** Reads its text. What the engine checks is not checked here. @returns undefined where it was not given */
  readonly read: (args: Arguments, name: string) => unknown;
}

const number: LoadFlag['read'] = (args, name) => args.number(name);
const { lookahead, runAhead } = STREAMING_DEFAULTS;

/** Of those that weights can be re-encoded in: the error for a wrong name lists them all. */
export const SOME_FORMATS = quantizedNames().slice(0, 2).join(', ');

/** Of all commands that load a model or plan to. */
export const MODEL_FLAGS = {
  context: {
    value: 'N',
    help: 'tokens that the KV cache holds',
    sets: 'contextTokens',
    read: (args, name) => (args.text(name) === undefined ? undefined : args.count(name, 1)),
  },
  quantize: {
    value: 'FORMAT',
    help: `re-encode (${SOME_FORMATS}); --expert-bits N: of nested4 packs`,
    sets: 'quantize',
    read: (args, name) => args.choice(name, quantizedNames()),
  },
  'expert-bits': {
    value: 'N',
    help: '',
    sets: 'expertBits',
    read: (args, name) => optionally(args.choice(name, ['2', '3', '4']), Number),
  },
} as const satisfies Readonly<Record<string, LoadFlag>>;

/** How experts stream; the reference holds all of them. */
export const STREAM_FLAGS = {
  budget: {
    value: 'BYTES',
    help: 'memory, as 2GB: experts beyond it are streamed',
    sets: 'memoryBudget',
    read: (args, name) => args.bytes(name),
  },
  slots: {
    value: 'N',
    help: 'experts of a layer in memory, whatever the budget',
    sets: 'streaming.slotsPerLayer',
    read: number,
  },
  policy: {
    value: 'NAME',
    help: `eviction: ${POLICY_NAMES.join(', ')}`,
    sets: 'streaming.policy',
    read: (args, name) => args.choice(name, POLICY_NAMES),
  },
  lookahead: {
    value: 'N',
    help: `layers whose experts are guessed: 0, 1, 2 (default ${lookahead})`,
    sets: 'streaming.lookahead',
    read: (args, name) => optionally(args.choice(name, ['0', '1', '2']), Number),
  },
  'run-ahead': {
    value: 'N',
    help: `layers run before their experts are known (default ${runAhead})`,
    sets: 'streaming.runAhead',
    read: (args, name) => (args.text(name) === 'auto' ? 'auto' : args.number(name)),
  },
  'start-now': {
    help: 'fetch experts as they are needed, even where all fit',
    sets: 'streaming.start',
    read: (args, name) => (args.flag(name) ? 'now' : undefined),
  },
} as const satisfies Readonly<Record<string, LoadFlag>>;

type Sets = (typeof MODEL_FLAGS & typeof STREAM_FLAGS)[keyof (typeof MODEL_FLAGS &
  typeof STREAM_FLAGS)]['sets'];

/** The options without a flag, and why: a new option has a row above or here, or this does not compile. */
export const WITHOUT_FLAG = {
  signal: 'Ctrl-C',
  onProgress: 'the status line',
  activations: 'f32 is compared with known answers; f16 is for pages',
  lossy: 'the program gives the model as it is',
  diskCache: '--cache names its folder',
  headers: 'ATOMOE_HEADERS: arguments are visible to other users of the machine',
  routing: '`route` takes a description',
  hubUrl: 'HF_ENDPOINT, as other programs have it',
  fetch: 'a function',
  streaming: 'its own fields have flags',
  'streaming.hostBudget': 'the system caches files',
  'streaming.seed': 'of the policy `random` in tests',
  'streaming.fill': 'a program ends with its reply',
} as const satisfies Readonly<
  Record<Exclude<keyof LoadOptions | `streaming.${keyof StreamingOptions}`, Sets>, string>
>;

function optionally<T, R>(value: T | undefined, map: (value: T) => R): R | undefined {
  return value === undefined ? undefined : map(value);
}

/**
 * The engine's options that the command line sets, as the engine checks them.
 *
 * @throws {UsageError}
 */
export function loadOptions(args: Arguments): LoadOptions {
  const options: Record<string, unknown> = {};
  const streaming: Record<string, unknown> = {};
  const flags: Readonly<Record<string, LoadFlag>> = { ...MODEL_FLAGS, ...STREAM_FLAGS };
  for (const [name, { sets, read }] of Object.entries(flags)) {
    const value = read(args, name);
    if (value === undefined) continue;
    const [first, second] = sets.split('.');
    if (second === undefined) options[first ?? ''] = value;
    else streaming[second] = value;
  }
  const given = Object.keys(streaming).length === 0 ? options : { ...options, streaming };
  return asUsage(() => readLoadOptions(given));
}
