import { AtomoeError } from '../../errors.ts';
import { isObject, show } from '../checks.ts';
import type { RoutingHooks } from '../routing-hooks.ts';
import type { StepHooks } from '../run/hooks.ts';
import type { Runner, RunnerState, StepRequest } from '../run/runner.ts';
import type { HookedModel } from '../talk/hooks.ts';
import { checkIds } from '../talk/token-ids.ts';
import { predictionFrom, predictionOf, type ModelPrediction, type PredictionOptions } from './prediction.ts';
import type { DecodingState, StepInput } from './strategy.ts';

type Embedding = Float32Array<ArrayBuffer>;

/** What strategies look at of a model. */
export type DecodedModel = HookedModel & { readonly spec: { readonly hidden: number } };

/** What the states of one reply share. */
export interface Means extends PredictionOptions {
  readonly runner: Runner;
  readonly model: DecodedModel;
  readonly request: Omit<StepRequest, 'ids' | 'past' | 'embedding'>;
  /** Runs a job in the queue of the engine's steps, unless the reply has ended. */
  run<T>(job: () => Promise<T>): Promise<T>;
  /** Opens a state that holds no token. */
  open(): Promise<OwnState>;
}

/** A state of a runner, with what it has read. */
export class OwnState implements DecodingState {
  readonly #means: Means;
  readonly #state: RunnerState;
  readonly #free: () => void;
  readonly #ids: number[] = []; // of the tokens that it holds
  readonly #embeddings = new Map<number, Embedding>(); // by position: in place of the token's own
  #hooks: StepHooks | undefined;
  #firstOdd = Infinity; // position of the first token that was read otherwise than in a plain reply
  #kept: OwnState | undefined; // as it was before the last `stepAll`, where it cannot be cut back
  #isDisposed = false;

  /** @param ids - of the tokens that `state` holds */
  constructor(means: Means, state: RunnerState, ids: readonly number[], free: () => void) {
    this.#means = means;
    this.#state = state;
    this.#free = free;
    this.#ids.push(...ids);
    this.#hooks = means.request.hooks;
  }

  get tokens(): number {
    return this.#ids.length;
  }

  /** Its tokens, up to the first that was read otherwise than in a plain reply: with an embedding or other hooks. */
  get plainIds(): number[] {
    return this.#ids.slice(0, this.#firstOdd);
  }

  async step(given: StepInput): Promise<ModelPrediction> {
    const { ids, embedding } = this.#read(given);
    const { runner, options } = this.#means;
    const { chunkTokens } = runner;
    const before = chunkTokens * Math.floor((ids.length - 1) / chunkTokens);
    await this.#prefill(ids.slice(0, before));
    const last = ids.slice(before);
    return this.#run(async (past) => {
      const step = { ...this.#request(last), embedding };
      const result = await runner.step(this.#state, step, options.signal);
      if (embedding) this.#embeddings.set(past, embedding);
      this.#hold(last, embedding !== undefined);
      return predictionOf(result, this.tokens, this.#means);
    });
  }

  async stepAll(given: readonly number[]): Promise<ModelPrediction[]> {
    const { ids } = this.#read(given);
    const { runner, options, model } = this.#means;
    const { vocab } = model.spec;
    if (runner.replacesStates) await this.#keep();
    return this.#run(async (past) => {
      const all = await runner.allLogits(this.#state, this.#request(ids), options.signal);
      const routes = options.routes ? await runner.trace(this.#state) : []; // of the last chunk, if there are several
      this.#hold(ids);
      this.#markSeen();
      return ids.map((_, at) => {
        const row = all.slice(at * vocab, (at + 1) * vocab);
        const position = past + at + 1;
        penalise(row, this.#ids.slice(0, position), options.repetitionPenalty);
        return predictionFrom(row, position, routes[at - ids.length + routes.length], this.#means);
      });
    });
  }

  async rewind(tokens: number): Promise<void> {
    if (!(Number.isInteger(tokens) && tokens >= 0 && tokens <= this.tokens)) {
      throw new AtomoeError(
        'bad-input',
        `a state was to rewind to ${show(tokens)} tokens; wanted a whole number up to the ${this.tokens} that it holds; ` +
          'correct the strategy',
      );
    }
    if (tokens === this.tokens) return;
    const ids = this.#ids.slice(0, tokens);
    const reached = await this.#run(async () => this.#cutBack(tokens));
    await this.#readAgain(ids.slice(reached));
    for (const position of this.#embeddings.keys()) if (position >= tokens) this.#embeddings.delete(position);
    if (this.#firstOdd >= tokens) this.#firstOdd = Infinity;
  }

  async hook(hooks: RoutingHooks | undefined): Promise<void> {
    const { readHooks } = await import('../talk/hooks.ts');
    this.#hooks = hooks && readHooks(hooks, this.#means.model);
  }

  async fork(): Promise<OwnState> {
    const fork = await this.#means.open();
    await this.#run(async () => this.#copyTo(fork));
    for (const [position, embedding] of this.#embeddings) fork.#embeddings.set(position, embedding);
    fork.#hooks = this.#hooks;
    fork.#firstOdd = this.#firstOdd;
    return fork;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#kept?.dispose();
    this.#free();
  }

  /** @throws {AtomoeError} bad-input - no tokens, or an embedding of another size; context-full */
  #read(given: StepInput): { ids: readonly number[]; embedding?: Embedding } {
    const { runner, model } = this.#means;
    const { vocab, hidden } = model.spec;
    const input = isObject(given) && 'embedding' in given ? given : undefined;
    const ids = input ? [input.id] : typeof given === 'number' ? [given] : [...(given as readonly number[])];
    checkIds(ids, vocab, Infinity);
    if (this.tokens + ids.length > runner.contextTokens) {
      throw new AtomoeError(
        'context-full',
        `a state of ${this.tokens} tokens was to read ${ids.length} more, and the context holds ${runner.contextTokens}; ` +
          'load the model with a larger contextTokens, or correct the strategy',
      );
    }
    if (!input) return { ids };
    const { embedding } = input;
    if (embedding instanceof Float32Array && embedding.length === hidden) return { ids, embedding };
    throw new AtomoeError(
      'bad-input',
      `the embedding of a step is ${show(embedding)}; wanted a Float32Array of ${hidden} numbers; correct the strategy`,
    );
  }

  #request(ids: readonly number[]): StepRequest {
    return { ...this.#means.request, ids, past: this.tokens, hooks: this.#hooks };
  }

  /** Notes tokens that were read. */
  #hold(ids: readonly number[], isOdd = false): void {
    const hasOtherHooks = this.#hooks !== this.#means.request.hooks;
    if (isOdd || hasOtherHooks) this.#firstOdd = Math.min(this.#firstOdd, this.tokens);
    this.#ids.push(...ids);
  }

  /** Runs a job on this state, which holds `past` tokens then. */
  #run<T>(job: (past: number) => Promise<T>): Promise<T> {
    return this.#means.run(async () => {
      if (!this.#isDisposed) return job(this.tokens);
      throw new AtomoeError('disposed', 'this state was disposed of; open another, or correct the strategy');
    });
  }

  /** Reads tokens for the sake of those behind them. */
  async #prefill(ids: readonly number[]): Promise<void> {
    const { runner, options } = this.#means;
    for (let from = 0; from < ids.length; from += runner.chunkTokens) {
      const chunk = ids.slice(from, from + runner.chunkTokens);
      await this.#run(async () => {
        await runner.prefill(this.#state, { ...this.#request(chunk), routes: false }, options.signal);
        this.#hold(chunk);
      });
    }
  }

  /** @returns how many of the first `tokens` tokens it still holds */
  #cutBack(tokens: number): number {
    const { runner } = this.#means;
    const kept = this.#kept;
    if (kept && kept.tokens <= tokens) kept.#copyTo(this);
    else {
      this.#ids.length = runner.rewindTo(this.#state, tokens);
      kept?.dispose(); // it holds what is forgotten now
      this.#kept = undefined;
    }
    this.#markSeen();
    return this.tokens;
  }

  /** Reads tokens that were read before, with the embeddings that they were read with. */
  async #readAgain(ids: readonly number[]): Promise<void> {
    let left = ids;
    while (left.length > 0) {
      const at = this.tokens;
      const embedding = this.#embeddings.get(at);
      const [id = 0] = left;
      const next = Math.min(...[...this.#embeddings.keys()].filter((position) => position > at));
      const count = embedding ? 1 : Math.min(left.length, next - at);
      if (embedding) await this.step({ id, embedding });
      else await this.#prefill(left.slice(0, count));
      left = left.slice(count);
    }
  }

  /** Remembers how the state is now, for `rewind`. */
  async #keep(): Promise<void> {
    this.#kept ??= await this.#means.open();
    const kept = this.#kept;
    await this.#run(async () => this.#copyTo(kept));
  }

  #copyTo(other: OwnState): void {
    this.#means.runner.copyState(this.#state, other.#state);
    other.#ids.splice(0, other.#ids.length, ...this.#ids);
  }

  #markSeen(): void {
    const { runner, options } = this.#means;
    if (options.repetitionPenalty !== 1) runner.setSeen(this.#state, this.#ids);
  }
}

/** The repetition penalty, which steps of several tokens do without (kernels/sample/logits-penalty.reference.ts). */
function penalise(logits: Float32Array, seen: readonly number[], penalty: number): void {
  if (penalty === 1) return;
  for (const id of new Set(seen)) {
    const logit = logits[id] ?? 0;
    logits[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
}
