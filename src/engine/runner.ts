import type { AdapterReport, LossyReport, MemoryReport, TokenRoutes } from './api.ts';
import type { Candidates } from '../graph/ops/sample.ts';

/** One session's KV cache and the like, on some device. */
export interface RunnerState {
  dispose(): void;
}

export interface StepRequest {
  readonly ids: readonly number[]; // the tokens of this step
  readonly past: number; // tokens in the cache before them
  readonly penalty: number; // repetition penalty; 1 is none
  readonly temperature: number; // 1 when nothing is drawn
  readonly candidates: boolean; // false: only the best token is wanted
  readonly routes: boolean; // report the experts of the last token
}

export interface StepResult {
  readonly best: number; // id of the largest logit; NOT_FINITE where a logit is none
  readonly candidates: Candidates | undefined; // as asked for
  readonly routes: TokenRoutes | undefined;
  /** All logits of the last token [vocab], after the repetition penalty; must be asked for before the next step. */
  logits(): Promise<Float32Array>;
}

/** A loaded model on some device, as sessions see it. */
export interface Runner {
  readonly adapter: AdapterReport;
  readonly contextTokens: number;
  readonly chunkTokens: number; // tokens of one prefill step at most
  openState(): Promise<RunnerState>;
  /** Marks the tokens that the repetition penalty knows, replacing earlier marks. */
  setSeen(state: RunnerState, ids: Iterable<number>): void;
  /** Runs a step for the sake of the cache only. Resolves when `signal` may abort without harm. */
  prefill(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<void>;
  step(state: RunnerState, request: StepRequest, signal?: AbortSignal): Promise<StepResult>;
  /** Logits of every token of a fresh prompt: [tokens, vocab]. */
  allLogits(state: RunnerState, request: StepRequest): Promise<Float32Array>;
  memoryReport(): MemoryReport;
  /** What was left out so far; undefined where nothing may be. */
  lossyReport(): LossyReport | undefined;
  dispose(): void;
}
