import type { Counters } from '../../gpu/device.ts';
import type { Refusals } from '../../graph/candidates.ts';
import type { Choice } from '../../graph/plan.ts';
import type { ExpertMemory } from './expert-memory.ts';
import type { AdapterReport, LossyReport, MemoryReport, TokenRoutes } from '../api.ts';
import type { Candidates } from '../../graph/ops/sample.ts';
import type { Scalar } from '../../graph/tensor.ts';
import type { StepTensors } from './given-tensors.ts';
import type { StepHooks } from './hooks.ts';
import type { StatePart } from './saved-state.ts';

/** States of a session as bytes, by name. */
export type StateBytes = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** Reads and writes states of sessions. */
export interface StateCopies {
  /** Sizes of the states behind `tokens` tokens, and the type of their elements: what saved ones have to agree with. */
  parts(tokens: number): { readonly parts: readonly StatePart[]; readonly scalar: Scalar };
  /** The states behind the first `tokens` tokens, by name (`statePartsOf`). */
  read(state: RunnerState, tokens: number): Promise<StateBytes>;
  /** Takes over states that `read` gave, which are behind `tokens` tokens. */
  write(state: RunnerState, tokens: number, bytes: StateBytes): void;
}

/** One session's KV cache and the like, on some device. */
export interface RunnerState {
  dispose(): void;
}

/**
 * Steps whose logits are wanted at every position have a plan for this many tokens beside that for prompts: it takes less memory, and
 * no less time for the same tokens. More than eight, so that experts can be streamed through it (`graph/ops/moe.ts`).
 */
export const DRAFT_TOKENS = 16;

/** One step of a session. */
export interface StepRequest {
  readonly ids: readonly number[]; // the tokens of this step
  readonly past: number; // tokens in the cache before them
  readonly penalty: number; // repetition penalty; 1 is none
  readonly temperature: number; // 1 when nothing is drawn
  readonly candidates: boolean; // false: only the best token is wanted
  readonly routes: boolean; // report the experts of the last token
  readonly hooks?: StepHooks | undefined;
  readonly given?: StepTensors | undefined; // what described routers read of the request
  /** f32 [hidden]: what a step of one token takes in place of the embedding of its id; as `Runner.embeddings` gives it. */
  readonly embedding?: Float32Array<ArrayBuffer> | undefined;
}

/** What a step gives. */
export interface StepResult {
  readonly best: number; // id of the largest logit; NOT_FINITE where a logit is none
  readonly candidates: Candidates | undefined; // as asked for
  readonly routes: TokenRoutes | undefined;
  /** All logits of the last token [vocab], after the repetition penalty; must be asked for before the next step. */
  logits(): Promise<Float32Array>;
}

/** The experts of a loaded model where they can be streamed: their slots, what streams them, and how both change. */
export type RunnerExperts = Pick<
  ExpertMemory,
  | 'slots'
  | 'store'
  | 'isComplete'
  | 'steps'
  | 'streamer'
  | 'tiers'
  | 'report'
  | 'loadAll'
  | 'prepareResize'
  | 'isLost'
>;

/** How long one dispatch of a step took, by the device's clock. */
export interface DispatchTime {
  readonly label: string; // `op label` of its node
  readonly key: string; // of its pipeline
  readonly ms: number;
}

/** What a device reports about its work: for plans, benches and tests. */
export interface RunnerTools {
  /** What the device has created and done so far. */
  readonly counters: Readonly<Counters>;
  /** The most device memory that was in use at a time. */
  readonly peakBytes: number;
  /** Dispatches of a decode step and of a prefill step, at most. */
  readonly dispatches: { readonly decode: number; readonly prefill: number };
  /** What could run in more than one way, each choice once. */
  readonly choices: readonly Choice[];
  /** Runs what may exceed the memory budget for a while, such as a state beside those of sessions. */
  beyondBudget<T>(run: () => Promise<T>): Promise<T>;
  /** What the device refused, and was done without. */
  readonly refusals: Refusals;
  /** The dispatches of one step in their order, without those that it does not need. */
  list(state: RunnerState, request: StepRequest): Omit<DispatchTime, 'ms'>[];
  /**
   * Runs one step for its times; it is no part of the session.
   *
   * @throws {AtomoeError} limit-too-small - the device has no timestamp queries
   */
  profile(state: RunnerState, request: StepRequest): Promise<DispatchTime[]>;
}

/** A loaded model on some device, as sessions see it. What only some devices have is undefined on the others. */
export interface Runner {
  readonly experts?: RunnerExperts | undefined;
  readonly tools?: RunnerTools | undefined;
  readonly adapter: AdapterReport;
  readonly contextTokens: number;
  readonly chunkTokens: number; // tokens of one prefill step at most
  openState(): Promise<RunnerState>;
  /**
   * Takes a state back, for steps that continue behind its first `past` tokens.
   *
   * @returns where they do: `past`, or less where the state cannot be cut back: 0, or as far as it had come
   */
  rewindTo(state: RunnerState, past: number): number;
  /** Whether steps replace states, which `rewindTo` cannot cut back then. */
  readonly replacesStates: boolean;
  /** Makes `to` what `from` is: both are behind the same tokens then, and go on apart. */
  copyState(from: RunnerState, to: RunnerState): void;
  /** What reads and writes the states of sessions: loaded when a session is first saved or restored. */
  stateCopies(): Promise<StateCopies>;
  /** Marks the tokens that the repetition penalty knows, replacing earlier marks. */
  setSeen(state: RunnerState, ids: Iterable<number>): void;
  /** Runs a step for the sake of the cache only. Resolves when `signal` may abort without harm. */
  prefill(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<void>;
  step(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<StepResult>;
  /** The routes of all tokens of the state's last step; must be asked for before the next step. */
  trace(state: RunnerState): Promise<TokenRoutes[]>;
  /**
   * The embeddings of tokens, as the first layer gets them: f32 [tokens, hidden].
   *
   * @throws {AtomoeError} unsupported-model - the family's graph does not say where they are
   */
  embeddings(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>>;
  /** Logits of every token of a step, without the repetition penalty: [tokens, vocab]. */
  allLogits(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<Float32Array>;
  memoryReport(): MemoryReport;
  /** What was left out so far; undefined where nothing may be. */
  lossyReport(): LossyReport | undefined;
  dispose(): void;
}
