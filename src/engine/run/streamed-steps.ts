/** Steps of a model whose experts are not all in GPU memory: the step stops where experts are missing, and continues when they have come. */
import { invariant } from '../../errors.ts';
import type { KnownStep } from '../../experts/prefetch.ts';
import type { ExpertStreamer } from '../../experts/streamer.ts';
import type { Gpu } from '../../gpu/device.ts';
import { ReadbackRing } from '../../gpu/readback.ts';
import { submit, type Command, type Copy } from '../../gpu/recorder.ts';
import type { ModelGraph, RouteOutputs, Step } from '../../graph/node.ts';
import { NO_EXPERT } from '../../graph/ops/skip-light.ts';
import type { Instance, Span } from '../../graph/plan.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { ChosenUnits } from './chosen-units.ts';
import type { Pace } from './pace.ts';
import { RunAhead } from './run-ahead.ts';

/** What streamed steps work with. */
export interface StreamedOptions {
  readonly gpu: Gpu;
  readonly streamer: ExpertStreamer;
  readonly routes: readonly RouteOutputs[]; // [bank], of the graph for single tokens
  readonly lookahead: number; // layers ahead that are predicted
  readonly unitExperts: readonly number[]; // [layer]: experts of a unit: 1, or those of a page
  readonly chunkTokens: number;
  /** Layers that are submitted past the last one whose experts are known to be there. 'auto' follows the hits. */
  readonly runAhead: number | 'auto';
  /** Replaces predictions before they are followed. For tests. */
  readonly mistake?: ((layer: number, units: Uint32Array, count: number) => void) | undefined;
  /** Missing experts of less than this share of a token's mean weight are left out; 0: none are. */
  readonly dropColdBelow: number;
}

/** The place of one tensor in a layer's record, in words. */
interface RecordPart {
  readonly tensor: Tensor;
  readonly at: number;
  readonly count: number;
}

/** What a token's step tells of a layer. */
interface LayerRecord {
  readonly chosen: RecordPart;
  readonly decided: readonly DecidedPart[];
  readonly guesses: readonly RecordPart[]; // for the layers behind it
  readonly weights: RecordPart | undefined; // where they are wanted
  readonly all: readonly RecordPart[]; // in order
}

/** The choice of a later layer. */
type DecidedPart = RecordPart & { readonly bank: number };

function layerRecord(
  { ids, decided = [], look, weights }: RouteOutputs,
  { lookahead, dropColdBelow }: Pick<StreamedOptions, 'lookahead' | 'dropColdBelow'>,
): LayerRecord {
  let words = 0;
  const partOf = (tensor: Tensor): RecordPart => {
    const part = { tensor, at: words, count: tensor.perToken };
    words += part.count;
    return part;
  };
  const record = {
    chosen: partOf(ids),
    decided: decided.map(({ bank, ids: later }) => ({ bank, ...partOf(later) })),
    guesses: look.slice(0, lookahead).map(partOf),
    weights: dropColdBelow > 0 ? partOf(weights) : undefined,
  };
  const others = record.weights ? [record.weights] : [];
  return { ...record, all: [record.chosen, ...record.decided, ...record.guesses, ...others] };
}

/** What the tokens of a prompt chose in a layer, then what is decided for later ones. */
function promptParts(route: RouteOutputs): readonly RecordPart[] {
  return layerRecord(route, { lookahead: 0, dropColdBelow: 0 }).all;
}

/** The choices of a prompt's tokens on their way: by [unit], how many of them use it; first the layer's, then those it decides. */
interface PromptChoice {
  readonly copies: readonly Copy[];
  read(): Promise<Uint32Array[]>;
}

/** Counts of streamed steps since the slots were opened. */
export interface RunAheadCounters {
  tokens: number; // steps of one token
  dropped: number; // experts that were missing and light, where those are left out
  aborts: number; // spans that ran ahead and met an absent expert
  resumes: number; // layers that were taken up again after that
  aheadLayers: number; // layers that were submitted before their experts were known
  syncMs: number; // waiting for the GPU to say which experts a layer needs
}

/** A submission whose record is under way. */
interface Flight {
  readonly serial: number;
  read(): Promise<ArrayBuffer>;
}

/** The spans of a token that are under way. */
interface Submitted {
  readonly flights: (Flight | undefined)[];
  readonly next: number; // the first that is not submitted
  readonly signal: AbortSignal | undefined;
}

/** What a step comes with. */
export interface StepContext {
  readonly known: KnownStep | undefined; // where something is known of its routes
  readonly signal: AbortSignal | undefined;
}

/** Runs steps on a GPU that holds only some of the experts. */
export class StreamedSteps {
  readonly counters: RunAheadCounters = {
    tokens: 0,
    dropped: 0,
    aborts: 0,
    resumes: 0,
    aheadLayers: 0,
    syncMs: 0,
  };
  readonly streamer: ExpertStreamer;
  readonly #options: StreamedOptions;
  readonly #records: ReadbackRing;
  readonly #prompts: ReadbackRing;
  readonly #layers = new WeakMap<ModelGraph, readonly LayerRecord[]>(); // [layer]
  readonly #units: ChosenUnits;
  #lastWave: Promise<void> | undefined;
  readonly #ahead = new RunAhead();

  constructor(options: StreamedOptions) {
    const { gpu, routes, streamer, chunkTokens } = options;
    this.#options = options;
    this.streamer = streamer;
    const parts = routes.map((route) => layerRecord(route, options).all);
    const recordBytes = 4 * Math.max(...parts.map(wordsOf));
    // A span that was given up frees its buffers only when the GPU is through with it.
    this.#records = new ReadbackRing(gpu, recordBytes, 2 * routes.length + 2);
    this.#prompts = new ReadbackRing(
      gpu,
      Math.max(...routes.map((route) => 4 * wordsOf(promptParts(route)))) * chunkTokens,
      1,
    );
    const mostChosen = parts.flat().map(({ count }) => count);
    this.#units = new ChosenUnits(streamer.store, options.unitExperts, Math.max(...mostChosen));
  }

  /**
   * Runs a step of one token; `copies` ride behind its end. Layers past an unverified choice of experts are run ahead:
   * all they write is written again when the step is taken up from the layer that missed something.
   *
   * @throws {AtomoeError} network, integrity and the like; the step can be run again
   */
  async decode(
    instance: Instance<ModelGraph>,
    step: Step,
    copies: readonly Copy[],
    { known, signal }: StepContext,
  ): Promise<void> {
    const flights: (Flight | undefined)[] = [];
    this.counters.tokens += 1;
    let next = 0;
    try {
      const isKnown = known?.begin(this.streamer, this.#units, signal) === true;
      const spans = instance.spans({ ...step, lookahead: isKnown ? 0 : this.#options.lookahead });
      const layers = spans.length - 1;
      const depth = isKnown ? layers : await this.#depth(layers);
      for (let verified = 0; ; verified += 1) {
        const last = Math.min(layers, verified + depth);
        // What is known and still on its way would be run in vain.
        for (; next <= last && !this.streamer.ahead?.isComing(next - 1); next += 1)
          flights[next] = this.#launch(instance, spans, next, copies);
        this.counters.aheadLayers += Math.max(0, next - 1 - verified);
        if (verified === layers) return;
        signal?.throwIfAborted();
        const isReady = await this.#verify(instance.plan.graph, verified, { flights, next, signal });
        if (isReady) continue;
        this.counters.aborts += 1;
        this.counters.resumes += 1;
        while (next > verified + 1) {
          next -= 1;
          discard(flights, next);
        }
      }
    } finally {
      for (const index of flights.keys()) discard(flights, index);
      await this.streamer.ahead?.settle();
    }
  }

  /**
   * Runs a step of many tokens, layer by layer: reads which experts the tokens chose, and brings them in.
   *
   * @throws {AtomoeError} as `decode`
   */
  async prefill(
    instance: Instance<ModelGraph>,
    step: Step,
    copies: readonly Copy[],
    { pace, known, signal }: StepContext & { readonly pace: Pace },
  ): Promise<void> {
    const { plan } = instance;
    const { streamer } = this;
    streamer.prompt = undefined;
    known?.beginPrompt(streamer, this.#units, step.tokens, signal);
    const spans = instance.spans(step);
    let chosen: PromptChoice | undefined;
    for (const [index, span] of spans.entries()) {
      const route = plan.graph.routes[index];
      const rest = () => {
        chosen = route && this.#readPrompt(plan, route, step.tokens);
        this.#submit(pace, span.rest, [
          ...(chosen?.copies ?? []),
          ...(index === spans.length - 1 ? copies : []),
        ]);
      };
      const read = chosen?.read;
      chosen = undefined;
      if (!read) {
        rest();
        continue;
      }
      const [uses = new Uint32Array(), ...decided] = await read();
      for (const [at, { bank }] of (plan.graph.routes[span.bank]?.decided ?? []).entries())
        this.streamer.prompt?.decide(bank, decided[at] ?? uses);
      signal?.throwIfAborted();
      const canSplit = span.waves.length > 0;
      const wave = canSplit ? () => this.#submitWave(pace, span) : rest;
      await this.streamer.stream(span.bank, uses, step.tokens, canSplit, wave, signal);
      if (canSplit) rest();
    }
  }

  dispose(): void {
    this.#records.dispose();
    this.#prompts.dispose();
  }

  /** The records of a graph's layers: graphs with hooks have tensors of their own. */
  #layersOf(graph: ModelGraph): readonly LayerRecord[] {
    const known = this.#layers.get(graph);
    if (known) return known;
    const layers = graph.routes.map((route) => layerRecord(route, this.#options));
    this.#layers.set(graph, layers);
    return layers;
  }

  /** Reads what the tokens of a prompt chose in a layer, and what was decided for later ones there. */
  #readPrompt(plan: Instance<ModelGraph>['plan'], route: RouteOutputs, tokens: number): PromptChoice {
    const parts = promptParts(route);
    const { copy, read } = this.#prompts.acquire(plan.buffer(route.ids), 0, 4 * tokens * wordsOf(parts));
    const places = parts.map(({ tensor, at, count }) => ({
      tensor,
      first: tokens * at,
      words: tokens * count,
    }));
    return {
      copies: places.map(({ tensor, first, words }) => ({
        ...{ from: plan.buffer(tensor), fromOffsetBytes: 0, to: copy.to },
        ...{ toOffsetBytes: 4 * first, sizeBytes: 4 * words },
      })),
      read: async () => {
        const all = new Uint32Array(await read());
        const banks = [route, ...(route.decided ?? [])].map(({ bank }) => bank);
        return places.map(({ first, words }, index) =>
          this.#units.uses(banks[index] ?? route.bank, all.subarray(first, first + words), tokens),
        );
      },
    };
  }

  /** In submissions that do not keep the GPU busy for too long; the copies ride behind the last. */
  #submit(pace: Pace, commands: readonly Command[], copies: readonly Copy[] = []): void {
    const { gpu } = this.#options;
    const slices = pace.slices(commands);
    const last = slices.pop() ?? [];
    for (const slice of slices) submit(gpu, slice);
    submit(gpu, last, copies);
  }

  /** Uploads of a wave wait in the browser's memory until the GPU is there: two waves at a time. */
  async #submitWave(pace: Pace, { waves }: Span): Promise<void> {
    this.#submit(pace, waves);
    const idle = this.#options.gpu.idle();
    idle.catch(() => {}); // awaited one wave later, or never after an error
    await this.#lastWave;
    this.#lastWave = idle;
  }

  async #depth(layers: number): Promise<number> {
    const { runAhead, gpu } = this.#options;
    if (runAhead !== 'auto') return runAhead;
    if (!this.#ahead.isMeasured) this.#ahead.measured(await roundTripMs(gpu));
    return this.#ahead.depth(layers, this.counters.tokens);
  }

  /** Submits one span, and asks for the record of the layer at its end. */
  #launch(
    instance: Instance<ModelGraph>,
    spans: readonly Span[],
    index: number,
    copies: readonly Copy[],
  ): Flight | undefined {
    const { gpu } = this.#options;
    const span = spans[index];
    invariant(span, () => `no span ${index}`);
    const { serial } = this.streamer;
    const commands = span.waves.length > 0 ? [...span.waves, ...span.rest] : span.rest;
    const { plan } = instance;
    const layer = this.#layersOf(plan.graph)[index];
    if (!layer) {
      submit(gpu, commands, copies);
      return { serial, read: () => Promise.resolve(new ArrayBuffer(0)) };
    }
    const { chosen, all } = layer;
    const { copy, read } = this.#records.acquire(plan.buffer(chosen.tensor), 0, 4 * wordsOf(all));
    const record = all.map(({ tensor, at, count }) => ({
      from: plan.buffer(tensor),
      fromOffsetBytes: 0,
      to: copy.to,
      toOffsetBytes: 4 * at,
      sizeBytes: 4 * count,
    }));
    submit(gpu, commands, record);
    return { serial, read };
  }

  /** @returns whether what was submitted past `layer` found all its experts */
  async #verify(graph: ModelGraph, layer: number, { flights, next, signal }: Submitted): Promise<boolean> {
    const { streamer } = this;
    const flight = flights[layer];
    const record = this.#layersOf(graph)[layer];
    invariant(flight && record, () => `no record of layer ${layer}`);
    const { chosen, decided, guesses, weights } = record;
    flights[layer] = undefined;
    const startedMs = performance.now();
    const words = new Uint32Array(await flight.read());
    const waitedMs = performance.now() - startedMs;
    this.counters.syncMs += waitedMs;
    if (next === layer + 1) this.#ahead.waited(waitedMs);
    if (weights && !streamer.ahead?.has(layer)) this.#dropLight(layer, words, weights);
    const count = this.#units.of(layer, words, chosen.at, chosen.count);
    const ahead = flights[layer + 1];
    const isReady = streamer.wasReady(layer, this.#units.list, count, ahead?.serial ?? streamer.serial);
    this.#ahead.verified(isReady);
    const loading = streamer.demand(layer, this.#units.list, count, signal);
    for (const { bank, at, count: most } of decided)
      streamer.ahead?.decide(bank, this.#units, this.#units.of(bank, words, at, most), signal);
    // Guesses are asked for behind what is needed, and read while that is waited for.
    for (const [ahead, look] of guesses.entries()) this.#predict(layer + 1 + ahead, words, look);
    await loading;
    return isReady || next <= layer + 1;
  }

  /** Strikes out the experts that are missing and light: they stay absent, and absent experts add nothing. */
  #dropLight(layer: number, words: Uint32Array, { at, count }: RecordPart): void {
    const dropBelow = this.#options.dropColdBelow / Math.min(count, this.streamer.store.units(layer));
    const weights = new Float32Array(words.buffer, 4 * at, count);
    for (let rank = 0; rank < count; rank += 1) {
      const unit = this.#units.unitOf(layer, words[rank] ?? 0);
      if ((weights[rank] ?? 0) >= dropBelow || this.streamer.isPresent(layer, unit)) continue;
      words[rank] = NO_EXPERT;
      this.counters.dropped += 1;
    }
  }

  #predict(layer: number, words: Uint32Array, look: RecordPart): void {
    if (this.streamer.ahead?.has(layer)) return;
    const count = this.#units.of(layer, words, look.at, look.count);
    this.#options.mistake?.(layer, this.#units.list, count);
    this.streamer.predict(layer, this.#units.list, count);
  }
}

function wordsOf(parts: readonly RecordPart[]): number {
  return parts.reduce((sum, { count }) => sum + count, 0);
}

/** How long an idle GPU takes to answer: the shortest of a few empty submissions. */
async function roundTripMs(gpu: Gpu): Promise<number> {
  let shortestMs = Infinity;
  for (let round = 0; round < 4; round += 1) {
    const startedMs = performance.now();
    submit(gpu, []);
    await gpu.idle();
    shortestMs = Math.min(shortestMs, performance.now() - startedMs);
  }
  return shortestMs;
}

/** Lets a record arrive unread, so that its buffer is free again. */
function discard(flights: (Flight | undefined)[], index: number): void {
  flights[index]?.read().catch(() => {});
  flights[index] = undefined;
}
