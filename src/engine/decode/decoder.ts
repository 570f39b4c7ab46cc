import { AtomoeError, invariant } from '../../errors.ts';
import { isMoe } from '../../models/spec.ts';
import type { CheckedOptions } from '../options.ts';
import type { JobQueue } from '../run/queue.ts';
import { DRAFT_TOKENS, type Runner, type RunnerState, type StepRequest } from '../run/runner.ts';
import { uniform } from '../talk/random.ts';
import type { ReplyText } from '../talk/reply-text.ts';
import { checkIds } from '../talk/token-ids.ts';
import { chooseToken, type Choice } from './choose.ts';
import { ModelPrediction } from './prediction.ts';
import { OwnState, type DecodedModel, type Means } from './state.ts';
import type { DecodedToken, Decoder, DecodingState, Prediction } from './strategy.ts';

/** What a session lends to the strategy of a reply. */
export interface Lent {
  readonly runner: Runner;
  readonly queue: JobQueue;
  readonly model: DecodedModel;
  readonly eosIds: ReadonlySet<number>;
  readonly options: CheckedOptions;
  readonly request: Omit<StepRequest, 'ids' | 'past' | 'embedding'>;
  readonly prompt: readonly number[];
  readonly state: RunnerState; // behind the prompt
  readonly first: ModelPrediction;
  readonly needsLogits: boolean;
  readonly newText: () => ReplyText; // of a reply to the prompt
  readonly isThinking: () => boolean;
  readonly assertUsable: () => void; // throws where the session was disposed of
}

/** What a strategy works with: the states that it opens, and the session's own. */
export class ModelDecoder implements Decoder {
  readonly prompt: readonly number[];
  readonly state: OwnState;
  readonly first: ModelPrediction;
  readonly options: CheckedOptions;
  readonly vocab: number;
  readonly hidden: number;
  readonly routed: readonly number[];
  readonly contextTokens: number;
  readonly draftTokens: number;
  readonly facts: Record<string, number | string> = {};
  readonly #lent: Lent;
  readonly #means: Means;
  readonly #opened = new Set<RunnerState>();
  #hasEnded = false;

  constructor(lent: Lent) {
    const { runner, options, needsLogits, request, model } = lent;
    const { vocab, hidden } = model.spec;
    this.#lent = lent;
    this.prompt = [...lent.prompt];
    this.first = lent.first;
    this.options = options;
    this.vocab = vocab;
    this.hidden = hidden;
    this.routed = expertsOf(model);
    this.contextTokens = runner.contextTokens;
    this.draftTokens = DRAFT_TOKENS;
    const run: Means['run'] = (job) => this.#run(job);
    const { open } = this;
    this.#means = { runner, options, needsLogits, request, model, run, open };
    this.state = new OwnState(this.#means, lent.state, lent.prompt, () => {}); // it stays
  }

  get isThinking(): boolean {
    return this.#lent.isThinking();
  }

  // Functions, not methods: strategies take them out of their decoder.
  readonly open = async (): Promise<OwnState> => {
    const { runner } = this.#lent;
    const state = await this.#run(async () => {
      const opened = await runner.openState();
      this.#opened.add(opened);
      return opened;
    });
    return new OwnState(this.#means, state, [], () => {
      if (this.#opened.delete(state)) state.dispose();
    });
  };

  readonly choose = (prediction: Prediction, choice?: Choice): DecodedToken =>
    chooseToken(ownPrediction(prediction), this.options, choice);

  readonly random = (counter: number, seed = this.options.seed): number => uniform(seed, counter);

  readonly plainly: Decoder['plainly'] = (state, prediction, { seed = this.options.seed } = {}) =>
    this.#plainly(state, prediction, seed);

  readonly embeddings = (ids: readonly number[]): Promise<Float32Array<ArrayBuffer>> =>
    this.#run(async () => {
      checkIds(ids, this.vocab, Infinity);
      return this.#lent.runner.embeddings(ids);
    });

  readonly isEnd = (id: number): boolean => this.#lent.eosIds.has(id);

  readonly answerOf = (ids: readonly number[]): string => {
    const written = this.#lent.newText();
    for (const id of ids) written.push(id);
    written.end();
    return written.text;
  };

  readonly report = (facts: Readonly<Record<string, number | string>>): void => {
    Object.assign(this.facts, facts);
  };

  /** Frees the states that were opened, once no step uses them; no step runs after that. */
  async end(): Promise<void> {
    await this.#lent.queue.run(async () => {
      this.#hasEnded = true;
      for (const state of this.#opened) state.dispose();
      this.#opened.clear();
    });
  }

  async *#plainly(
    state: DecodingState,
    prediction: Prediction,
    seed: number,
  ): AsyncGenerator<DecodedToken, void, undefined> {
    const written = this.#lent.newText();
    let next = prediction;
    for (let count = 1; ; count += 1) {
      const token = this.choose(next, { seed });
      if (this.isEnd(token.id)) return;
      const { isStopped } = written.push(token.id);
      yield token;
      if (isStopped || count === this.options.maxTokens || state.tokens === this.contextTokens) return;
      next = await state.step(token.id);
    }
  }

  #run<T>(job: () => Promise<T>): Promise<T> {
    const { queue, options, assertUsable } = this.#lent;
    return queue.run(async () => {
      assertUsable();
      options.signal?.throwIfAborted();
      if (!this.#hasEnded) return job();
      throw new AtomoeError('disposed', 'the reply has ended; a strategy may not go on behind its end');
    });
  }
}

/** Experts of each layer with experts, as hooks count them; 0 where its router takes none. */
function expertsOf({ spec, blocks }: DecodedModel): number[] {
  const moes = spec.layers.flatMap(({ sublayers }) => sublayers.map(({ block }) => block)).filter(isMoe);
  return moes.map(({ experts, router }) => (blocks.router(router).takesHooks ? experts : 0));
}

function ownPrediction(prediction: Prediction): ModelPrediction {
  invariant(prediction instanceof ModelPrediction, () => 'a prediction of this reply is wanted');
  return prediction;
}
