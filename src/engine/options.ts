/** Every option of the engine, by name, with what it may be: the one place where options are looked at. */
import { POLICY_NAMES, type PolicyName } from '../experts/policy-names.ts';
import type { MakePolicy, Policy } from '../experts/policy.ts';
import type { Container } from '../containers/container.ts';
import type { AdapterClass } from '../gpu/adapter-class.ts';
import type { GpuEntry, HostDevice } from '../gpu/device.ts';
import { checkHeaders } from '../io/http-url.ts';
import type { DiskStorage } from '../io/storage.ts';
import type { ModelFamily } from '../blocks/family.ts';
import type {
  ChatTool,
  DecodingName,
  DecodingOption,
  DecodingStrategy,
  DeviceKind,
  GenerateOptions,
  LayerRouting,
  LoadOptions,
  LossyOptions,
  ModelSource,
  ReplyConstraints,
  RequestTensors,
  ResponseFormat,
  StreamingOptions,
  ToolChoice,
} from './api.ts';
import {
  abortSignal,
  callback,
  fields,
  flag,
  guarded,
  isMethod,
  isObject,
  isRecord,
  listOf,
  numberFrom,
  oneOf,
  orWord,
  plainData,
  plainObject,
  readFields,
  recordOf,
  refuse,
  refuseAs,
  showKind,
  text,
  wholeFrom,
  withMethods,
  type Check,
  type Table,
} from './checks.ts';
import type { AutoMemory } from './load/auto-memory.ts';
import type { EngineOptions } from './engine.ts';
import { modelSource } from './load/model-source.ts';
import type { TuningMode, TuningStore } from './load/tuning.ts';

const stopText: Check<string> = (value, name) =>
  text(value, name).length > 0 ? (value as string) : refuse(name, value, 'text of one character or more');

/** Those that a model's generation_config.json may name: their ranges. */
export const OPTION_RANGES = {
  maxTokens: { least: 1, most: 1_000_000, isWhole: true },
  temperature: { least: 0, most: 10 },
  topK: { least: 0, most: 1_000_000, isWhole: true },
  topP: { least: 0, most: 1 },
  minP: { least: 0, most: 1 },
  repetitionPenalty: { least: 0.01, most: 100 },
} as const;

/** The options of a reply that are numbers with a range. */
export type NumberOption = keyof typeof OPTION_RANGES;

function inRange(option: NumberOption): Check<number> {
  const { least, most, ...range } = OPTION_RANGES[option];
  return 'isWhole' in range ? wholeFrom(least, most) : numberFrom(least, most);
}

const chatTool: Check<ChatTool> = (value, name) => {
  const tool = plainObject(value, name);
  oneOf('function')(tool['type'], `${name}.type`);
  const described = plainObject(tool['function'], `${name}.function`);
  text(described['name'], `${name}.function.name`);
  return tool as unknown as ChatTool;
};

const GIVEN_OTHERWISE = ['messages', 'tools', 'add_generation_prompt'];

const templateOptions: Check<Readonly<Record<string, unknown>>> = (value, name) => {
  const options = plainObject(value, name);
  const given = GIVEN_OTHERWISE.find((each) => Object.hasOwn(options, each));
  return given === undefined ? options : refuse(`${name}.${given}`, options[given], 'it outside of them');
};

const DECODING: readonly DecodingName[] = ['ngram', 'contrast', 'soft-thinking', 'consistency', 'rewire'];
const ownStrategy = withMethods<DecodingStrategy>('an object with a function decode', 'decode');

/** Options of the package's strategies are checked where these are loaded. */
const decoding: Check<DecodingOption> = (value, name) => {
  if (typeof value === 'string') return oneOf(...DECODING)(value, name);
  if (guarded(name, () => isObject(value) && 'decode' in value)) return ownStrategy(value, name);
  const options = plainObject(value, name);
  oneOf(...DECODING)(options['kind'], `${name}.kind`);
  return options as unknown as DecodingOption;
};

/** A copy: lists may be as long as others, typed arrays as long as they are. */
const numbers: Check<unknown> = (value, name) =>
  value instanceof Float32Array || value instanceof Uint32Array ? value.slice() : plainData(value, name);

/** The checks of the options of a reply. */
export const GENERATE: Table<GenerateOptions> = {
  maxTokens: inRange('maxTokens'),
  temperature: inRange('temperature'),
  topK: inRange('topK'),
  topP: inRange('topP'),
  minP: inRange('minP'),
  repetitionPenalty: inRange('repetitionPenalty'),
  seed: wholeFrom(0),
  stop: listOf(stopText, 1000, 'a list of texts'),
  tools: listOf(chatTool, 1000, 'a list of tools'),
  templateOptions,
  continueFinalMessage: flag,
  logprobs: wholeFrom(0, 20),
  reusePrefix: flag,
  routes: flag,
  trace: flag,
  hooks: plainObject, // checked where the layers are known
  tensors: recordOf(recordOf(numbers)) as Check<RequestTensors>, // likewise
  decoding,
  presencePenalty: numberFrom(-2, 2),
  frequencyPenalty: numberFrom(-2, 2),
  logitBias: plainObject as Check<Readonly<Record<string, number>>>, // these are checked where they are applied
  responseFormat: plainObject as Check<ResponseFormat & object>,
  toolChoice: ((value, name) =>
    typeof value === 'string' ? text(value, name) : plainObject(value, name)) as Check<ToolChoice>,
  parallelToolCalls: flag,
  signal: abortSignal,
};

const namedPolicy = oneOf<PolicyName>(...POLICY_NAMES);
const policyObject = withMethods<Policy>(
  'an object with begin, use, observe and score',
  'begin',
  'use',
  'observe',
  'score',
);

/** A policy of the caller's: its errors and bad return values are distinguished from errors of our own. */
const ownPolicy: Check<MakePolicy> = (value, name) => {
  const make = callback<MakePolicy>()(value, name);
  return (shape) => {
    const policy = policyObject(make(shape), `what ${name} returned`);
    const score = callback<Policy['score']>()(policy.score.bind(policy), `score() of ${name}`);
    const { expect } = policy;
    return {
      ...(expect && {
        expect: callback<NonNullable<Policy['expect']>>()(expect.bind(policy), `expect() of ${name}`),
      }),
      begin: callback<Policy['begin']>()(policy.begin.bind(policy), `begin() of ${name}`),
      use: callback<Policy['use']>()(policy.use.bind(policy), `use() of ${name}`),
      observe: callback<Policy['observe']>()(policy.observe.bind(policy), `observe() of ${name}`),
      score(unit) {
        const found = score(unit);
        return Number.isFinite(found)
          ? found
          : refuse(`what score() of ${name} returned`, found, 'a finite number');
      },
    };
  };
};

const evictionPolicy: Check<PolicyName | MakePolicy> = (value, name) =>
  typeof value === 'function' ? ownPolicy(value, name) : namedPolicy(value, name);

const STREAMING: Table<StreamingOptions> = {
  start: oneOf('whole', 'now'),
  policy: evictionPolicy,
  seed: wholeFrom(0),
  lookahead: oneOf(0, 1, 2),
  runAhead: orWord('auto', wholeFrom(0)),
  hostBudget: wholeFrom(0),
  slotsPerLayer: wholeFrom(1),
  fill: flag,
};

/** What streaming does where nothing is said. */
export const STREAMING_DEFAULTS = {
  policy: 'ema',
  seed: 0,
  lookahead: 1,
  runAhead: 'auto',
} as const satisfies StreamingOptions;

const LOSSY: Table<LossyOptions> = { skipBelow: numberFrom(0), dropColdBelow: numberFrom(0) };

type ResizeOptions = Pick<LoadOptions, 'memoryBudget' | 'streaming'>;

const RESIZE: Table<ResizeOptions> = {
  memoryBudget: orWord('auto', numberFrom(0)),
  streaming: fields(STREAMING),
};

/** Their values may be secrets, so that nothing shows them. */
const headers: Check<Readonly<Record<string, string>>> = (value, name) => {
  const pairs = guarded(name, () => {
    if ('Headers' in globalThis && value instanceof Headers) return [...value];
    return isObject(value) && isRecord(value) ? Object.entries(value) : undefined;
  });
  if (!pairs) return refuseAs(name, showKind(value), 'a plain object of names to texts, or Headers');
  return checkHeaders(Object.fromEntries(pairs));
};

const callFetch = callback<typeof fetch>();

/** Only a missing answer of the network's is worth another try: what is no Response is the caller's mistake. */
const ownFetch: Check<typeof fetch> = (value, name) => {
  const call = callFetch(value, name);
  return async (...request) => {
    const answer: unknown = await call(...request);
    if (isResponse(answer)) return answer;
    return refuse(`what ${name} resolved to`, answer, 'a Response');
  };
};

function isResponse(value: unknown): value is Response {
  if (!isObject(value) || typeof value['status'] !== 'number') return false;
  const headers = value['headers'];
  return isObject(headers) && isMethod(headers, 'get');
}

/** Descriptions are checked where their layers are known. */
const layerRouting: Check<LayerRouting> = (value, name) =>
  typeof value === 'function' || Array.isArray(value) || isObject(value)
    ? (value as LayerRouting)
    : refuse(name, value, 'a description of a layer, a list by layer, or a function of its number');

const LOAD: Table<LoadOptions> = {
  ...RESIZE,
  signal: abortSignal,
  onProgress: callback(),
  contextTokens: wholeFrom(1),
  quantize: text, // draftModel knows which: the table of formats is not for threads that only ask
  expertBits: oneOf(2, 3, 4),
  activations: oneOf('f32', 'f16', 'int8'),
  lossy: fields(LOSSY),
  routing: layerRouting,
  diskCache: flag,
  headers,
  hubUrl: text,
  fetch: ownFetch,
};

const KINDS: readonly DeviceKind[] = ['auto', 'gpu', 'cpu', 'reference'];

const hostDevice = withMethods<HostDevice>(
  '"auto", "gpu", "cpu", "reference" or a device of WebGPU',
  'createBuffer',
  'createShaderModule',
);

const device: Check<DeviceKind | HostDevice> = (value, name) =>
  KINDS.find((kind) => kind === value) ?? hostDevice(value, name);

const tuning: Check<TuningMode> = (value, name) => {
  if (value === 'auto' || value === 'off') return value;
  return withMethods<ReadonlyMap<string, string>>(
    '"auto", "off" or a Map of choices',
    'get',
    'entries',
  )(value, name);
};

const storage: Check<DiskStorage | Promise<DiskStorage>> = (value, name) => {
  const isPromise = guarded(name, () => isObject(value) && 'then' in value);
  return withMethods<DiskStorage>('a DiskStorage', ...(isPromise ? ['then'] : ['open', 'lock']))(value, name);
};

/** An object of the caller's with a method, and a list of texts by which it is found. */
function listedBy<T extends object>(wanted: string, method: string, list: keyof T & string): Check<T> {
  const methods = withMethods<T>(wanted, method);
  const texts = listOf(text, 1000, 'a list of texts');
  return (value, name) => {
    const found = methods(value, name);
    const field = `${name}.${list}`;
    const listed = guarded(field, () => found[list]);
    texts(listed, field);
    return found;
  };
}

const modelFamily = listedBy<ModelFamily>('a ModelFamily', 'parse', 'modelTypes');
const container = listedBy<Container>('a Container', 'open', 'files');

const ENGINE: Table<EngineOptions> = {
  ...LOAD,
  device,
  gpu: withMethods<GpuEntry>('an entry to WebGPU, such as navigator.gpu', 'requestAdapter'),
  adapterClass: oneOf('hardware', 'software'),
  model: modelSource,
  families: listOf(modelFamily, 1000, 'a list of ModelFamily objects'),
  containers: listOf(container, 1000, 'a list of Container objects'),
  tuning,
  tuningStore: withMethods<TuningStore>('a TuningStore', 'read', 'write'),
  storage,
  kernels: callback(),
  threads: wholeFrom(1),
  startThreads: callback(),
  autoBudget: withMethods('an object'),
  streamTesting: withMethods('an object'),
  bounds: withMethods('an object'),
  limits: oneOf('plan', 'default'),
};

const FOR_TESTS = ['kernels', 'startThreads', 'autoBudget', 'streamTesting', 'bounds', 'limits'];

/** How an engine in a worker is opened: what crosses to it, and the worker itself. */
interface WorkerOptions extends LoadOptions {
  device?: DeviceKind;
  threads?: number;
  adapterClass?: AdapterClass;
  tuning?: 'auto' | 'off';
  model?: ModelSource;
  worker?: Worker;
}

const WORKER: Table<WorkerOptions> = {
  ...LOAD,
  device: oneOf(...KINDS),
  threads: wholeFrom(1),
  adapterClass: oneOf('hardware', 'software'),
  tuning: oneOf('auto', 'off'),
  model: modelSource,
  worker: withMethods<Worker>('a Worker', 'postMessage', 'addEventListener', 'terminate'),
};

type ConnectOptions = Pick<
  WorkerOptions,
  'device' | 'threads' | 'adapterClass' | 'tuning' | 'headers' | 'signal'
> & {
  memory?: AutoMemory;
  close?: () => void;
};

const CONNECT: Table<ConnectOptions> = {
  device: WORKER.device,
  threads: WORKER.threads,
  adapterClass: WORKER.adapterClass,
  tuning: WORKER.tuning,
  headers: WORKER.headers,
  signal: WORKER.signal,
  memory: withMethods('an object'),
  close: callback(),
};

/** @throws {AtomoeError} bad-input - an unknown option, or one that is not what it may be */
export function readGenerateOptions(options: unknown): GenerateOptions {
  return readFields(options, GENERATE, { what: 'the argument of generate' });
}

/** @throws {AtomoeError} bad-input */
export function readLoadOptions(options: unknown): LoadOptions {
  return readFields(options, LOAD, { what: 'the argument of load' });
}

/** @throws {AtomoeError} bad-input */
export function readResizeOptions(options: unknown): ResizeOptions {
  return readFields(options, RESIZE, { what: 'the argument of resize' });
}

/** @throws {AtomoeError} bad-input */
export function readEngineOptions(options: unknown): EngineOptions {
  return readFields(options, ENGINE, { what: 'the argument of createEngine', hidden: FOR_TESTS });
}

/** @throws {AtomoeError} bad-input */
export function readWorkerOptions(options: unknown): WorkerOptions {
  return readFields(options, WORKER, { what: 'the argument of createWorkerEngine' });
}

/** @throws {AtomoeError} bad-input */
export function readConnectOptions(options: unknown): ConnectOptions {
  return readFields(options, CONNECT, { what: 'the argument of connectEngine' });
}

/** Those of an engine's options that are for its load. */
export function loadPart(options: EngineOptions | WorkerOptions): LoadOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(LOAD, name)));
}

/** The options of a reply with every default filled in. */
export type CheckedOptions = Required<
  Omit<GenerateOptions, 'signal' | 'logprobs' | 'hooks' | 'tensors' | 'decoding' | keyof ReplyConstraints>
> &
  Pick<GenerateOptions, 'signal' | 'hooks' | 'tensors' | 'decoding' | keyof ReplyConstraints> & {
    readonly logprobs: number | undefined;
  };

const CONSTRAINTS = [
  'presencePenalty',
  'frequencyPenalty',
  'logitBias',
  'responseFormat',
  'toolChoice',
] as const;

/** @returns the name of an option that asks for something of the reply's tokens, where there is one */
export function constraintIn(options: Readonly<ReplyConstraints>): string | undefined {
  return CONSTRAINTS.find((name) => {
    const value = options[name];
    if (typeof value === 'object')
      return Object.keys(value).length > 0 && (value as ResponseFormat).type !== 'text';
    return value !== undefined && value !== 0 && value !== 'auto' && value !== 'none';
  });
}

const DEFAULTS = {
  maxTokens: 256,
  temperature: 0.8,
  topK: 0,
  topP: 0.95,
  minP: 0,
  repetitionPenalty: 1,
  stop: [],
  tools: [],
  templateOptions: {},
  continueFinalMessage: false,
  reusePrefix: true,
  routes: false,
  trace: false,
  logprobs: undefined,
} as const;

/**
 * Refuses what is out of range, and fills in defaults.
 *
 * @param defaults - the model's own, see generation-defaults.ts
 * @throws {AtomoeError} bad-input - names the option, what it is, and what it may be
 */
export function checkOptions(
  options: unknown,
  drawSeed: () => number,
  defaults: Partial<Record<NumberOption, number>> & { readonly stop?: readonly string[] } = {},
): CheckedOptions {
  const given = readGenerateOptions(options);
  const { stop = [], ...numbers } = defaults;
  return { ...DEFAULTS, ...numbers, stop: [...stop], seed: given.seed ?? drawSeed(), ...given };
}
