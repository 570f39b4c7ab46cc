/**
 * Online re-routing (after "Rewiring Experts on the Fly"): biases on the routers' logits, moved so that the text so far
 * becomes likelier. The paper follows gradients; here random directions are tried, both ways, and only what lowers the loss is kept.
 */
import { AtomoeError } from '../../errors.ts';
import { fields, numberFrom, oneOf, wholeFrom, type Table } from '../checks.ts';
import type { LayerHooks, RoutingHooks } from '../routing-hooks.ts';
import type { RewireOptions } from './options.ts';
import type { Decoder, DecodedToken, DecodingState, DecodingStrategy } from './strategy.ts';

const TABLE: Table<RewireOptions> = {
  kind: oneOf('rewire'),
  every: wholeFrom(1),
  window: wholeFrom(2),
  tries: wholeFrom(1, 10_000),
  step: numberFrom(0, 100),
};

type Settings = Required<Omit<RewireOptions, 'kind'>>;

/** Biases by layer with experts; those of a router without hooks are empty. */
export type Deltas = readonly (readonly number[])[];

/** @throws {AtomoeError} bad-input - an option */
export function rewire(given: unknown): DecodingStrategy {
  const { kind: _, ...options } = fields(TABLE)(given, 'decoding');
  const settings: Settings = { every: 64, window: 128, tries: 8, step: 0.5, ...options };
  return { name: 'rewire', needsLogits: true, decode: (decoder) => reroute(decoder, settings) };
}

async function* reroute(decoder: Decoder, settings: Settings): AsyncGenerator<DecodedToken> {
  const { state, prompt, choose } = decoder;
  checkTakesBiases(decoder);
  const search = new Search(decoder, await decoder.open(), settings);
  const said = [...prompt];
  let prediction = decoder.first;
  for (;;) {
    const isDue = (said.length - prompt.length) % settings.every === 0;
    if (isDue && (await search.update(said))) {
      await state.rewind(said.length - 1);
      await state.hook(search.hooks);
      prediction = await state.step(said.slice(-1));
    }
    const token = choose(prediction);
    yield token;
    said.push(token.id);
    prediction = await state.step(token.id);
  }
}

/** @throws {AtomoeError} bad-input */
function checkTakesBiases({ routed, options }: Decoder): void {
  if (options.hooks?.replay) {
    throw new AtomoeError(
      'bad-input',
      'hooks.replay beside decoding.kind "rewire", which changes what routers choose; wanted one of them; leave the other out',
    );
  }
  if (routed.some((experts) => experts > 0)) return;
  throw new AtomoeError(
    'bad-input',
    'decoding.kind is "rewire", and no router of the model takes hooks; wanted a model with linear routers; ' +
      'choose another strategy',
  );
}

/** The best biases so far, and how they are improved. */
class Search {
  readonly #decoder: Decoder;
  readonly #state: DecodingState; // reads the text again and again
  readonly #settings: Settings;
  #best: Deltas | undefined; // none at first: the model as it is
  #step: number;
  #draws = 0;
  #counts = { updates: 0, scored: 0, kept: 0 };

  constructor(decoder: Decoder, state: DecodingState, settings: Settings) {
    this.#decoder = decoder;
    this.#state = state;
    this.#settings = settings;
    this.#step = settings.step;
  }

  get hooks(): RoutingHooks | undefined {
    return this.#hooksOf(this.#best);
  }

  /** Improves the biases for the end of a text. @returns whether they are others than before */
  async update(text: readonly number[]): Promise<boolean> {
    const { window, tries } = this.#settings;
    const ids = text.slice(-Math.min(window, this.#decoder.contextTokens));
    if (ids.length < 2) return false;
    const before = this.#best;
    const plain = await this.#score(undefined, ids);
    let least = before ? await this.#score(before, ids) : plain;
    // Biases that fit an earlier part of the text may do harm now.
    if (least >= plain) [this.#best, least] = [undefined, plain];
    for (let tried = 0; tried < tries; tried += 1) least = await this.#try(ids, least);
    this.#counts.updates += 1;
    const mean = (sum: number) => sum / (ids.length - 1);
    this.#decoder.report({ ...this.#counts, nll: mean(plain), rewired: mean(least) });
    return this.#best !== before;
  }

  /** Steps along a random direction, or against it, if that lowers the loss. @returns the loss of the best */
  async #try(ids: readonly number[], least: number): Promise<number> {
    const direction = this.#direction();
    for (const sign of [1, -1]) {
      const deltas = moved(this.#best, direction, sign * this.#step);
      const loss = await this.#score(deltas, ids);
      if (!(loss < least)) continue;
      this.#best = deltas;
      this.#step *= 1.3;
      this.#counts.kept += 1;
      return loss;
    }
    this.#step *= 0.8;
    return least;
  }

  async #score(deltas: Deltas | undefined, ids: readonly number[]): Promise<number> {
    this.#counts.scored += 1;
    await this.#state.hook(this.#hooksOf(deltas));
    return lossOf(this.#decoder, this.#state, ids);
  }

  /** Normal numbers by the seed, by counters that no token's draw has. */
  #direction(): Deltas {
    const { random, routed } = this.#decoder;
    const next = () => random(2 ** 40 + this.#draws++);
    const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    return routed.map((experts) => Array.from({ length: experts }, normal));
  }

  #hooksOf(deltas: Deltas | undefined): RoutingHooks | undefined {
    const { hooks } = this.#decoder.options;
    return deltas ? biased(hooks, deltas) : hooks;
  }
}

function moved(from: Deltas | undefined, direction: Deltas, step: number): Deltas {
  return direction.map((layer, at) =>
    layer.map((value, expert) => (from?.[at]?.[expert] ?? 0) + step * value),
  );
}

/** Hooks of a request with biases added to theirs. */
export function biased(hooks: RoutingHooks | undefined, deltas: Deltas): RoutingHooks {
  const layers = deltas.map((delta, at): LayerHooks | null => {
    const own = hooks?.layers?.[at] ?? hooks?.all ?? null;
    if (delta.length === 0) return own;
    return { ...own, bias: delta.map((value, expert) => value + (own?.bias?.[expert] ?? 0)) };
  });
  return { layers };
}

/**
 * How unlikely a text is: the sum of -ln p of each token but the first, given those before it. Replaces what the state holds. Needs
 * predictions with logits.
 */
export async function lossOf(
  { draftTokens }: Pick<Decoder, 'draftTokens'>,
  state: DecodingState,
  ids: readonly number[],
): Promise<number> {
  await state.rewind(0);
  let loss = 0;
  for (let from = 0; from < ids.length - 1; from += draftTokens) {
    const part = ids.slice(from, Math.min(from + draftTokens, ids.length - 1));
    const predictions = await state.stepAll(part);
    for (const [at, { logits }] of predictions.entries()) {
      loss -= logProbability(logits ?? new Float32Array(0), ids[from + at + 1] ?? 0);
    }
  }
  return loss;
}

/** Without the order of all logits, which a prediction's own log-probabilities come from. */
function logProbability(logits: Float32Array, id: number): number {
  const largest = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const sum = logits.reduce((whole, logit) => whole + Math.exp(logit - largest), 0);
  return (logits[id] ?? NaN) - largest - Math.log(sum);
}
