/** Loads the experts of steps whose routes are known. A page without such routes does not load this file. */
import { invariant } from '../errors.ts';
import { LOOKAHEAD_TOKENS } from './policy.ts';
import type { ExpertStreamer } from './streamer.ts';

/** What is known of the routes of a step's tokens and of those after it: from a replayed trace, or tables by token id. */
export interface KnownRoutes {
  /**
   * The experts that a token is going to use in a layer, in rank order; what is no expert of the layer stands for none.
   *
   * @param ahead - tokens after the first of the step: 0 is that one
   * @returns undefined: not known, the layer decides when it runs
   */
  experts(layer: number, ahead: number): ArrayLike<number> | undefined;
}

/** The units of the experts that tokens chose. */
export interface UnitsOf {
  readonly list: Uint32Array; // what `of` found last
  of(layer: number, experts: ArrayLike<number>, from: number, count: number): number;
}

/** Units that a layer is going to use, on their way. */
interface Prefetch {
  readonly units: Uint32Array;
  readonly loading: Promise<void> | undefined;
  isComing: boolean;
}

/** What a step of one token has asked for before its layers run. It ends with `settle`, also where the step fails. */
export class Prefetches {
  readonly #streamer: ExpertStreamer;
  readonly #layers = new Map<number, Prefetch>();

  constructor(streamer: ExpertStreamer) {
    this.#streamer = streamer;
  }

  /** Asks for the units of a layer, which it will demand in this order. */
  add(layer: number, units: Uint32Array, count: number, signal?: AbortSignal): void {
    const loading = this.#streamer.prefetch(layer, units, count, signal);
    const prefetch = { units: units.slice(0, count), loading, isComing: loading !== undefined };
    const arrive = () => void (prefetch.isComing = false);
    loading?.then(arrive, () => {}); // an error reaches who waits for the layer
    this.#layers.set(layer, prefetch);
  }

  /** As `add`, where the layer's units were not asked for before: an earlier layer has decided on them. */
  decide(layer: number, units: UnitsOf, count: number, signal?: AbortSignal): void {
    if (!this.has(layer)) this.add(layer, units.list, count, signal);
  }

  /** Whether the layer's units were asked for, and not taken yet. */
  has(layer: number): boolean {
    return this.#layers.has(layer);
  }

  /** Whether the layer's units are still on their way. */
  isComing(layer: number): boolean {
    return this.#layers.get(layer)?.isComing === true;
  }

  /**
   * The layer demands what was known.
   *
   * @returns what it has to wait for; undefined where all are at hand
   */
  take(layer: number, units: Uint32Array, count: number): Promise<void> | undefined {
    const prefetch = this.#layers.get(layer);
    this.#layers.delete(layer);
    const known = prefetch?.units ?? [];
    invariant(
      known.length === count && known.every((unit, rank) => unit === units[rank]),
      () => `layer ${layer} uses ${units.subarray(0, count).join()}, known was ${known.join()}`,
    );
    return prefetch?.isComing ? prefetch.loading : undefined;
  }

  /** Ends the step, however it went: waits until nothing of it can write into slots. Never fails. */
  async settle(): Promise<void> {
    const waiting = [...this.#layers.values()].map(({ loading }) => loading ?? Promise.resolve());
    await Promise.allSettled(waiting);
    this.#streamer.ahead = undefined;
  }
}

/** What a step of many tokens reads of the layer behind the one that runs: as many records as its first lot has. */
export class PromptPrefetch {
  readonly #streamer: ExpertStreamer;
  readonly #uses: (layer: number) => Uint32Array;
  readonly #signal: AbortSignal | undefined;
  readonly #reads = new Map<number, Promise<Uint8Array<ArrayBuffer>>>(); // by unit, of the layer that was begun
  readonly #decided = new Map<number, Uint32Array>(); // by layer
  #layer = 0;

  /** @param uses - [unit]: how many of the tokens are known to use each unit of a layer */
  constructor(
    streamer: ExpertStreamer,
    uses: (layer: number) => Uint32Array,
    signal: AbortSignal | undefined,
  ) {
    this.#streamer = streamer;
    this.#uses = uses;
    this.#signal = signal;
  }

  /** An earlier layer has decided how many of the tokens use each unit of a layer. */
  decide(layer: number, uses: Uint32Array): void {
    this.#decided.set(layer, uses);
  }

  /** All that the layers before have to read is read: begins with this one, hottest first. */
  begin(layer: number): void {
    this.#reads.clear();
    this.#layer = layer;
    const { store, scratch, tiers } = this.#streamer;
    if (layer >= store.layers || !scratch) return;
    const uses = this.#decided.get(layer) ?? this.#uses(layer);
    const absent = [...uses.keys()].filter((unit) => uses[unit] && !this.#streamer.isPresent(layer, unit));
    absent.sort((a, b) => (uses[b] ?? 0) - (uses[a] ?? 0));
    for (const unit of absent.slice(0, scratch.plan.places)) {
      const read = tiers.read(layer, unit, this.#signal);
      read.catch(() => {}); // an error reaches who takes it
      this.#reads.set(unit, read);
    }
  }

  /** The record of a unit, if it was asked for. */
  take(layer: number, unit: number): Promise<Uint8Array<ArrayBuffer>> | undefined {
    if (layer !== this.#layer) return undefined;
    const read = this.#reads.get(unit);
    this.#reads.delete(unit);
    return read;
  }
}

/** A step of whose routes something is known. */
export class KnownStep {
  readonly #routes: KnownRoutes;

  constructor(routes: KnownRoutes) {
    this.#routes = routes;
  }

  /**
   * Asks for the units of one token, layer by layer: the first layer's are read first. Policies that look ahead learn what comes. The step
   * ends with `ExpertStreamer.ahead.settle`.
   *
   * @returns whether the routes of all layers are known
   */
  begin(streamer: ExpertStreamer, units: UnitsOf, signal: AbortSignal | undefined): boolean {
    const prefetches = new Prefetches(streamer);
    streamer.ahead = prefetches;
    let isWhole = true;
    for (let layer = 0; layer < streamer.store.layers; layer += 1) {
      this.#expect(streamer, units, layer, 0);
      const experts = this.#routes.experts(layer, 0);
      if (experts) prefetches.add(layer, units.list, units.of(layer, experts, 0, experts.length), signal);
      else isWhole = false;
    }
    return isWhole;
  }

  /** Begins to read for the first layer of a prompt's step, and tells the policies what the tokens after it use. */
  beginPrompt(
    streamer: ExpertStreamer,
    units: UnitsOf,
    tokens: number,
    signal: AbortSignal | undefined,
  ): void {
    for (let layer = 0; layer < streamer.store.layers; layer += 1)
      this.#expect(streamer, units, layer, tokens);
    const uses = (layer: number) => this.#uses(streamer, units, layer, { first: 0, tokens });
    streamer.prompt = new PromptPrefetch(streamer, uses, signal);
    streamer.prompt.begin(0);
  }

  /** Tells a policy how many of the tokens from `first` on use each unit of a layer, as far as it is known. */
  #expect(streamer: ExpertStreamer, units: UnitsOf, layer: number, first: number): void {
    const policy = streamer.policy(layer);
    if (!policy.expect) return;
    policy.expect(this.#uses(streamer, units, layer, { first, tokens: LOOKAHEAD_TOKENS }));
  }

  /** How many of the tokens from `first` on use each unit of a layer, as far as it is known. */
  #uses(
    { store }: ExpertStreamer,
    units: UnitsOf,
    layer: number,
    { first, tokens }: { readonly first: number; readonly tokens: number },
  ): Uint32Array {
    const uses = new Uint32Array(store.units(layer));
    for (let ahead = first; ahead < first + tokens; ahead += 1) {
      const experts = this.#routes.experts(layer, ahead);
      if (!experts) continue;
      const count = units.of(layer, experts, 0, experts.length);
      for (const unit of units.list.subarray(0, count)) uses[unit] = (uses[unit] ?? 0) + 1;
    }
    return uses;
  }
}
