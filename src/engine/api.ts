/**
 * The public interface of the engine as plain types. The in-page engine and the worker's client both implement it;
 * the element and the demo see nothing else, so a fake engine can drive their tests.
 */

import type { PolicyName } from '../experts/policy-names.ts';
import type { MakePolicy, Policy, PolicyShape } from '../experts/policy.ts';
import type { FileSource, FolderSource } from '../io/source.ts';
import type { QuantizedFormat } from '../weights/formats/index.ts';
import type { ChatCompletions } from './chat-completions.ts';
import type { ChatTool, ChatToolCall, Prompt } from './chat-messages.ts';
import type { DecodingOption, DecodingReport } from './decode/options.ts';
import type { ScoredToken, ScoreOptions } from './scores.ts';
import type { TextCompletions } from './text-completions.ts';
import type { TokenLogprob } from './decode/strategy.ts';
import type { EngineTools } from './engine-tools.ts';
import type { MemoryReport } from './memory-report.ts';
import type { ReplyConstraints } from './reply-constraints.ts';
import type { RestoreReport } from './saved-session.ts';
import type { RequestTensors } from './request-tensors.ts';
import type { ExpertNumbers, RoutingHooks, RoutingTrace, TokenRoutes } from './routing-hooks.ts';

export type * from './chat-completions.ts';
export type * from './chat-messages.ts';
export type * from './saved-session.ts';
export type * from './decode/options.ts';
export type * from './decode/strategy.ts';
export type * from './engine-tools.ts';
export * from './memory-report.ts';
export type * from './reply-constraints.ts';
export type * from './request-tensors.ts';
export type * from './routing-hooks.ts';
export type * from './scores.ts';
export type * from './text-completions.ts';

/** Where a model comes from: a folder URL ending in `/`, a single file URL, or files the user dropped. */
export type ModelSource = string | readonly File[] | ModelFiles;

/** A folder of named files, read by range. Names are relative (`config.json`, `model.safetensors`). */
export type ModelFiles = FolderSource;

/** One ranged file. */
export type ModelFile = FileSource;

/** A weight format to re-encode matrices into while they load; formats from outside are named by their own names. */
export type QuantizeFormat = QuantizedFormat | (string & {});

/** Progress of a load, in order: plan, weights, compile, tune, ready. */
export type LoadProgress =
  | { kind: 'planning' }
  /** `totalBytes` come before the model is ready, of `modelBytes` in all; the rest comes while it talks. */
  | { kind: 'downloading'; doneBytes: number; totalBytes: number; modelBytes: number; file: string }
  | { kind: 'compiling'; donePipelines: number; totalPipelines: number }
  | { kind: 'tuning'; doneKernels: number; totalKernels: number }
  | { kind: 'ready' };

/**
 * How a model is loaded. All fields are optional; wrong values are refused with `bad-input` before anything is
 * opened.
 */
export interface LoadOptions {
  signal?: AbortSignal;
  onProgress?: (progress: LoadProgress) => void;
  memoryBudget?: number | 'auto'; // bytes of GPU memory; 'auto' by default
  contextTokens?: number; // size of the KV cache; default: the model's maximum, at most 4096
  quantize?: QuantizeFormat; // re-encode 16- and 32-bit matrices while loading; not packed experts
  /** Reads experts that were packed with `--quantize nested4` in 2 or 3 bits of their 4: less to download, to read and to hold. */
  expertBits?: 2 | 3 | 4;
  /** Default f32. 'f16' needs a GPU with shader-f16; 'int8' the CPU: faster with quantised weights, and lossy. */
  activations?: 'f32' | 'f16' | 'int8';
  streaming?: StreamingOptions;
  lossy?: LossyOptions; // default: nothing is left out
  /** Routers in the place of the model's own, as descriptions of layers (docs/ROUTING.md); f32 activations only. */
  routing?: LayerRouting;
  /** Keeps what is read from a URL on the local disk (OPFS), for the next visit; default true where there is one. */
  diskCache?: boolean;
  /**
   * Sent with every request for the files of a model behind a URL: `{ authorization: 'Bearer ...' }` for one that wants a
   * login. Nothing shows or keeps them. `createEngine`'s are those of every model that is loaded without its own.
   */
  headers?: Readonly<Record<string, string>>;
  /** Where models named `org/name[@revision][:file]` are; default https://huggingface.co. */
  hubUrl?: string;
  /** Makes these requests in place of the global one. Not with an engine in a worker: functions stay on their page. */
  fetch?: typeof fetch;
}

/**
 * A description of a layer (JSON) whose router replaces that of every layer with experts, or one for each layer by its number, in
 * a list or by a function; null and undefined keep the layer's own. Tensors are those of the model, with `{layer}` for the number.
 * A function only where the engine runs in the same thread.
 */
export type LayerRouting =
  object | readonly (object | null)[] | ((layer: number) => object | null | undefined);

/** Ways to fetch less that change what the model says. Every reply made with one reports it. */
export interface LossyOptions {
  /** Leaves out experts whose weight is below this, whether they are in memory or not: the same text each time. */
  skipBelow?: number;
  /**
   * Leaves out experts that are missing and whose weight is below this over the number of experts a token uses; 1 is an
   * even share. Depends on what happens to be in memory: the text may differ from run to run. Not for prompts.
   */
  dropColdBelow?: number;
}

/** What was left out. */
export interface LossyReport {
  readonly skipBelow: number; // 0: off
  readonly dropColdBelow: number; // 0: off
  readonly dropped: number; // experts of this reply's tokens that were missing and light
  readonly activations?: 'int8'; // products of quantised weights see activations of 8 bits
}

/** Which resident expert makes room, by name (see `npx atomoe simulate`); or a policy of the caller's. */
export type { MakePolicy, Policy, PolicyName, PolicyShape };

/** How experts that are not in GPU memory come there. None of it changes a single bit of what the model says. */
export interface StreamingOptions {
  /** 'now' starts with the dense weights and fetches experts as they are needed, even where all would fit; default 'whole'. */
  start?: 'whole' | 'now';
  policy?: PolicyName | MakePolicy; // default 'ema'; a function only where the engine runs in the same thread
  seed?: number; // of policy 'random'; default 0
  lookahead?: 0 | 1 | 2; // layers ahead whose experts are guessed and fetched; default 1
  runAhead?: number | 'auto'; // layers submitted before their experts are known; default 'auto'
  hostBudget?: number; // bytes of experts kept in memory beside the slots; default 1 GiB, on the CPU within memoryBudget
  slotsPerLayer?: number; // instead of what memoryBudget pays for
  fill?: boolean; // fetches missing experts while no reply runs; default true
}

/** Where an expert (or a page of atomic ones) is: in `StreamingReport.states`. */
export const SLOT_STATES = { absent: 0, resident: 1, loading: 2, predicted: 3 } as const;

/** What the experts' cache does, since the model was loaded or resized. Bytes, milliseconds. */
export interface StreamingReport {
  readonly layers: number;
  readonly unitsPerLayer: number; // experts, or pages of atomic ones, of the layer that has most
  readonly slotsPerLayer: number;
  readonly cacheRatio: number; // slots in units of what one token needs
  readonly unitBytes: number;
  readonly units: readonly number[]; // [layer]: `unitsPerLayer`, or fewer where layers differ
  readonly states: Uint8Array; // [layers * unitsPerLayer]: SLOT_STATES
  readonly isComplete: boolean; // nothing is missing: steps do not stop
  readonly tokens: number; // that were generated while something was missing
  readonly hits: number;
  readonly misses: number;
  readonly prefetched: number; // loaded before their layer ran, since its routes were known; not among the misses
  readonly evictions: number;
  readonly speculated: number; // loaded on a guess
  readonly adopted: number; // of those, used
  readonly wasted: number; // of those, never used
  readonly uploadedBytes: number; // to GPU memory
  readonly readBytes: number; // from disk or network
  readonly heldBytes: number; // experts in this thread's memory
  readonly stallMs: number; // waiting for experts
  readonly syncMs: number; // waiting for the GPU to say which
  readonly aborts: number; // layers that ran ahead in vain
  readonly recall: readonly number[]; // [layer]: the share of used units that were foreseen; NaN where none was
  readonly disk: DiskReport | undefined; // none where nothing is kept
}

/** What the disk cache holds of one model, in bytes. */
export interface DiskReport {
  readonly key: string; // for deleteModel
  readonly storedBytes: number;
  readonly totalBytes: number;
  readonly isReadOnly: boolean;
  readonly why: string; // one sentence why nothing is written; empty while it is
}

/** What loading would download, hold and need. All sizes in bytes. */
export interface ModelPlan {
  readonly family: string;
  readonly layers: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly parameters: number; // weights of the model
  readonly experts: number; // of the layer that has most
  readonly expertsPerToken: number; // of the layer that takes most
  readonly contextTokens: number;
  readonly license?: string; // as a GGUF file states it, such as `apache-2.0`
  readonly bytes: {
    readonly download: number;
    readonly dense: number; // everything that is not a routed expert
    readonly oneExpert: number;
    readonly allExperts: number;
    readonly kvCache: number;
    readonly activations: number;
    readonly staging: number;
    readonly experts: number; // expert slots in GPU memory: `allExperts`, or fewer when experts are streamed
    readonly perToken: number; // what one token's experts take: the most that a token can fetch
    readonly gpuTotal: number;
    readonly least: number; // the smallest memoryBudget that works
  };
  /** Whether experts come and go, and how many of a layer (experts, or pages of atomic ones) stay at a time. */
  readonly streams: boolean;
  readonly unitsPerLayer: number; // of the layer that has most: experts, or pages of atomic ones, what slots hold
  readonly slotsPerLayer: number;
  readonly cacheRatio: number; // slots in units of what one token needs
  readonly fits: boolean;
  readonly why: string; // one sentence, empty when it fits
  readonly adapter: AdapterReport; // what would run it
  readonly notes: readonly PlanNote[]; // what the host or the files lack; the model works all the same
  /** Kernels that the adapter refused to compile or run, once loaded; others do their work. */
  readonly refusedKernels: readonly RefusedKernel[];
}

/** Something that is not as good as it could be, in one sentence. */
export interface PlanNote {
  /**
   * 'no-ranges': the host gives files only whole; 'no-dense-hashes': damage to a packed model's dense part goes unseen;
   * 'memory-halved': a tab died with a model in memory, so `memoryBudget: 'auto'` is less; 'generation-config': it asks for
   * what Atomoe does not do; 'no-end': no token ends a reply, which then takes all of maxTokens; 'no-kernels': WebAssembly
   * is missing or forbidden, so the CPU runs the slow reference; 'expanded': quantised weights take more memory than in
   * the file, because they are unpacked when they are loaded; 'fewer-bits': `expertBits` leaves planes of the experts out.
   */
  readonly kind:
    | 'no-ranges'
    | 'no-dense-hashes'
    | 'memory-halved'
    | 'generation-config'
    | 'no-end'
    | 'no-kernels'
    | 'expanded'
    | 'fewer-bits';
  readonly message: string;
}

/** A kernel that the adapter refused, and the reason that the driver gave. */
export interface RefusedKernel {
  readonly kernel: string;
  readonly reason: string;
}

/**
 * What computes: 'auto' the faster of the GPU and the CPU, as measured once for each adapter; 'gpu' WebGPU; 'cpu' WebAssembly SIMD; 'reference' plain TypeScript, the specification of both, for
 * comparisons.
 */
export type DeviceKind = 'auto' | 'gpu' | 'cpu' | 'reference';

/** The device an engine computes with, and what it offers. */
export interface AdapterReport {
  readonly device: Exclude<DeviceKind, 'auto'>;
  readonly name: string; // "vendor architecture" of a GPU, 'WebAssembly SIMD (plain)', 'CPU reference'
  readonly adapterClass: 'hardware' | 'software'; // which kernels suit it
  readonly f16: boolean;
  readonly subgroups: boolean;
  readonly maxBindingBytes: number;
  readonly why: string; // one sentence on why it is this device, where `device: 'auto'` chose it; else empty
}

/** The model's generation_config.json has other defaults where it names `max_new_tokens`, `temperature` and so on. */
export interface GenerateOptions extends ReplyConstraints {
  maxTokens?: number; // default 256
  temperature?: number; // 0 is greedy; default 0.8
  topK?: number; // 0 is off; default 0
  topP?: number; // default 0.95
  minP?: number; // default 0
  repetitionPenalty?: number; // 1 is off; default 1
  seed?: number; // default: drawn once, reported in the last event
  stop?: readonly string[]; // end the answer; thoughts may hold them
  tools?: readonly ChatTool[]; // that a chat's model may call; needs a chat template with a place for them
  /**
   * Variables of the model's chat template: `{ enable_thinking: false }`, `{ reasoning_effort: 'low' }` and whatever else it
   * reads. Not looked at where the prompt is plain text, or the model has no template.
   */
  templateOptions?: Readonly<Record<string, unknown>>;
  continueFinalMessage?: boolean; // the last message is the beginning of the answer; default false. Plain text is continued anyway
  logprobs?: number; // how many alternatives to report per token; 0..20
  reusePrefix?: boolean; // default true
  routes?: boolean; // report the experts that each token used
  trace?: boolean; // the last event has the experts of every token that was computed, those of the prompt among them
  hooks?: RoutingHooks; // change what the routers decide; replies without any cost nothing for it
  tensors?: RequestTensors; // that described routers read (`LoadOptions.routing`), by name: each, and no other
  decoding?: DecodingOption; // which tokens the reply consists of; default: the likeliest, or drawn ones; not with `trace`
  signal?: AbortSignal;
}

/** The options of a reply that its prompt depends on. */
export type PromptOptions = Pick<GenerateOptions, 'tools' | 'templateOptions' | 'continueFinalMessage'>;

/** Why a reply ended: a stop token or stop text, `maxTokens` or the end of the context, or the caller's signal. */
export type FinishReason = 'stop' | 'length' | 'abort';

/**
 * What `Session.generate` yields: the library that a shape needs, where it is new; progress of the prompt, then each token, then
 * `done` exactly once. `text` is the answer.
 * In a chat with a model that thinks first, its thoughts are `reasoning`, without the markers around them. A prompt of plain
 * text is continued as it is: then all is `text`.
 */
export type GenerateEvent =
  /** Only the first reply with a shape: before the library is loaded (about 394 kB of gzip), and behind. */
  | { kind: 'library'; name: 'xgrammar'; isLoaded: boolean }
  | { kind: 'prefill'; doneTokens: number; totalTokens: number }
  | {
      kind: 'token';
      id: number;
      text: string; // never half a character; may be empty
      reasoning?: string; // only while the model thinks; may be empty
      atMs: number; // since generate() was called
      routes?: TokenRoutes;
      logprob?: number; // this and the next two only where `logprobs` was asked for
      token?: TokenLogprob;
      alternatives?: readonly TokenLogprob[];
    }
  | {
      kind: 'done';
      reason: FinishReason;
      text: string;
      reasoning?: string; // only where the model has thought
      toolCalls?: readonly ChatToolCall[]; // only where it calls tools; their text is not in `text`
      seed: number;
      usage: Usage;
      timings: Timings;
      trace?: RoutingTrace; // only where it was asked for
      lossy?: LossyReport; // only where the model was loaded with a lossy option
      decoding?: DecodingReport; // only where a strategy decoded
    };

/** Tokens that a reply took, in counts. */
export interface Usage {
  readonly promptTokens: number;
  readonly reusedTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens?: number; // of these, spent on thoughts; only where there are any
}

/** How long a reply took, in milliseconds of the monotonic clock. */
export interface Timings {
  readonly prefillMs: number;
  readonly firstTokenMs: number;
  readonly decodeMs: number;
  readonly tokensPerSecond: number; // decode only
}

/** A conversation with its own KV cache. */
export interface Session {
  /**
   * Streams a reply. Prompt and options are taken as they are now; the reply begins, and errors come, when it is read.
   *
   * @throws {AtomoeError} bad-input - empty prompt or an option out of range; context-full - the prompt alone does
   *   not fit `contextTokens`; busy - the session is already generating; disposed; device-lost; non-finite
   */
  generate(prompt: Prompt, options?: GenerateOptions): AsyncIterable<GenerateEvent>;
  /** Tokens in the KV cache. */
  readonly tokens: number;
  /**
   * Another session that holds the same tokens, with their keys and values; both go on apart. It takes the memory of a session.
   *
   * @throws {AtomoeError} busy; disposed; out-of-memory
   */
  clone(): Promise<Session>;
  /**
   * What the session holds, as bytes to keep in OPFS, IndexedDB or a file: the token ids, and their keys and values.
   *
   * @throws {AtomoeError} busy; disposed
   */
  save(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Takes over what `save` gave, in the place of what the session holds. Keys and values are copied where the model, its types and
   * the sizes are those of the saved ones; else they are computed again from the ids.
   *
   * @throws {AtomoeError} bad-input - no saved session, or ids that this model has not; context-full - nothing changes; busy
   */
  restore(saved: Uint8Array, options?: { signal?: AbortSignal }): Promise<RestoreReport>;
  /** Forgets everything said. */
  reset(): void;
  dispose(): void;
}

/** What the loaded model is, for people. */
export interface ModelInfo {
  readonly label: string;
  readonly family: string;
  readonly plan: ModelPlan;
  readonly hasChatTemplate: boolean; // with one, roles are kept apart; without it the model continues text
  readonly experts: {
    readonly layers: number;
    readonly perLayer: number;
    readonly grid?: number;
    readonly original?: ExpertNumbers; // of models whose experts are some of another model's
  };
}

/**
 * An engine: loads one model at a time and opens sessions on it. Every method that takes a signal rejects with the
 * signal's reason.
 */
export interface Engine extends EngineTools {
  readonly adapter: AdapterReport;
  readonly model: ModelInfo | undefined;
  plan(model: ModelSource, options?: LoadOptions): Promise<ModelPlan>;
  load(model: ModelSource, options?: LoadOptions): Promise<ModelInfo>;
  session(): Session;
  /**
   * The token ids of a prompt, as a reply to it would read them. Their number is what it takes of the context.
   *
   * @throws {AtomoeError} bad-input - an option or a message; no model with a tokenizer
   */
  tokenize(prompt: Prompt, options?: PromptOptions): Promise<number[]>;
  /** The text of token ids, control tokens included. @throws {AtomoeError} bad-input - an id outside the vocabulary */
  detokenize(ids: readonly number[]): Promise<string>;
  /**
   * How likely a text, or token ids, are behind a prompt: the natural logarithm of the probability of each token given those
   * before it.
   *
   * @throws {AtomoeError} bad-input - an empty prompt or text; context-full
   */
  score(prompt: Prompt, text: string | readonly number[], options?: ScoreOptions): Promise<ScoredToken[]>;
  /** GPU bytes in use, by kind. */
  memory(): MemoryReport;
  /**
   * Changes how much GPU memory the loaded model may take, and how its experts are streamed, between two tokens. What
   * it says does not change by a bit.
   *
   * @throws {AtomoeError} bad-input - no model with experts on a GPU, an option out of range, or a policy that fails;
   *   limit-too-small - the model does not work in so little; in all these cases nothing changes; out-of-memory - the
   *   model has to be loaded again
   */
  resize(change: Pick<LoadOptions, 'memoryBudget' | 'streaming'>): Promise<ModelPlan>;
  /** @returns undefined where the loaded model has no routed experts, or none on a GPU */
  streaming(): Promise<StreamingReport | undefined>;
  readonly chat: { readonly completions: ChatCompletions };
  readonly completions: TextCompletions; // OpenAI's older API: texts that go on
  /** Rejects with `device-lost` when the GPU goes away; never resolves otherwise. */
  readonly lost: Promise<never>;
  dispose(): void;
}
