/** Steps on the CPU of a model whose experts are not all in memory. */
import type { KnownStep } from '../../experts/prefetch.ts';
import type { ExpertStreamer } from '../../experts/streamer.ts';
import type { RouteOutputs } from '../../graph/node.ts';
import { NO_EXPERT } from '../../graph/ops/skip-light.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { Wave } from '../../simd/run.ts';
import type { SimdStore } from '../../simd/store.ts';
import { ChosenUnits } from './chosen-units.ts';
import type { RunAheadCounters } from './streamed-steps.ts';
import type { StepsOptions } from './expert-memory.ts';

/** What a layer of the step that is running has besides its choice. */
interface TokenOutputs {
  readonly read: (tensor: Tensor) => Uint32Array;
  readonly look: readonly Tensor[]; // predictions, the nearest layer first
  readonly decided: NonNullable<RouteOutputs['decided']>; // of later layers
  readonly weights: Float32Array | undefined; // where experts may be left out
}

/** What a layer of the step of many tokens that is running has besides its choice. */
interface PromptOutputs extends Pick<TokenOutputs, 'decided'> {
  readonly tokens: number;
  readonly canSplit: boolean;
  readonly read: (tensor: Tensor) => Uint32Array; // of all tokens
}

/** Brings experts in when a layer asks for them: the graph runs on this thread, so nothing has to run ahead. */
export class SimdSteps {
  readonly counters: RunAheadCounters = {
    tokens: 0,
    dropped: 0,
    aborts: 0,
    resumes: 0,
    aheadLayers: 0,
    syncMs: 0,
  };
  readonly #streamer: ExpertStreamer<SimdStore>;
  readonly #options: StepsOptions;
  readonly #units: ChosenUnits;

  constructor(streamer: ExpertStreamer<SimdStore>, routes: readonly RouteOutputs[], options: StepsOptions) {
    this.#streamer = streamer;
    this.#options = options;
    const chosen = routes.flatMap(({ ids, look }) => [ids, ...look].map(({ perToken }) => perToken));
    this.#units = new ChosenUnits(streamer.store, options.unitExperts, Math.max(...chosen));
  }

  /** Layers ahead that single tokens predict. */
  get lookahead(): number {
    return this.#options.lookahead;
  }

  /** A step of one token begins, of whose routes something is known. It ends with `end`, also where it fails. */
  begin(known: KnownStep, signal: AbortSignal | undefined): void {
    known.begin(this.#streamer, this.#units, signal);
  }

  /** A step of a prompt begins, of so many tokens. */
  beginPrompt(known: KnownStep, tokens: number, signal: AbortSignal | undefined): void {
    known.beginPrompt(this.#streamer, this.#units, tokens, signal);
  }

  /** Waits for what is still on its way to slots. */
  async end(): Promise<void> {
    await this.#streamer.ahead?.settle();
  }

  /**
   * One token: brings in what its layer asks for, and asks for what the next layers may want.
   *
   * @param words - [topK], changed where experts are left out
   * @throws {AtomoeError} network, integrity and the like
   */
  useToken(
    bank: number,
    words: Uint32Array,
    { read, look, decided, weights }: TokenOutputs,
    wave: Wave,
    signal: AbortSignal | undefined,
  ): void | Promise<void> {
    if (bank === 0) this.counters.tokens += 1;
    if (weights && !this.#streamer.ahead?.has(bank)) this.#dropLight(bank, words, weights);
    const { list } = this.#units;
    const count = this.#units.of(bank, words, 0, words.length);
    const loading = this.#streamer.demand(bank, list, count, signal);
    for (const { bank: layer, ids } of decided) {
      const known = this.#units.of(layer, read(ids), 0, ids.perToken);
      this.#streamer.ahead?.decide(layer, this.#units, known, signal);
    }
    for (const [ahead, ids] of look.slice(0, this.lookahead).entries()) {
      const layer = bank + 1 + ahead;
      if (this.#streamer.ahead?.has(layer)) continue;
      const guessed = this.#units.of(layer, read(ids), 0, ids.perToken);
      this.#options.mistake?.(layer, list, guessed);
      this.#streamer.predict(layer, list, guessed);
    }
    return loading ? loading.then(wave) : wave();
  }

  /** Many tokens: all that they use, in waves where it does not fit at once. @throws as `useToken` */
  useTokens(
    bank: number,
    ids: Uint32Array,
    { tokens, canSplit, read, decided }: PromptOutputs,
    wave: Wave,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (const { bank: layer, ids: known } of decided)
      this.#streamer.prompt?.decide(layer, this.#units.uses(layer, read(known), tokens));
    const uses = this.#units.uses(bank, ids, tokens);
    return this.#streamer.stream(bank, uses, tokens, canSplit, wave, signal);
  }

  dispose(): void {}

  /** Strikes out the experts that are missing and light: absent experts add nothing. */
  #dropLight(bank: number, words: Uint32Array, weights: Float32Array): void {
    const dropBelow = this.#options.dropColdBelow / Math.min(words.length, this.#streamer.store.units(bank));
    for (const [rank, id] of words.entries()) {
      const isKept = (weights[rank] ?? 0) >= dropBelow;
      if (isKept || this.#streamer.isPresent(bank, this.#units.unitOf(bank, id))) continue;
      words[rank] = NO_EXPERT;
      this.counters.dropped += 1;
    }
  }
}
