import { invariant } from '../../errors.ts';
import { NOT_FINITE, type Candidates } from '../../graph/ops/sample.ts';
import type { TokenRoutes } from '../routing-hooks.ts';
import type { CheckedOptions } from '../options.ts';
import type { StepResult } from '../run/runner.ts';
import { allCandidates, isCovered } from '../talk/draw.ts';
import { notFinite } from '../talk/pick.ts';
import type { Prediction, TokenChance } from './strategy.ts';

/** What a prediction is made of. */
interface Parts {
  readonly position: number;
  readonly best: number;
  readonly logits: Float32Array | undefined;
  readonly routes: TokenRoutes | undefined;
  readonly candidates: () => Candidates;
}

/** A prediction that holds what it needs: later steps do not change it. */
export class ModelPrediction implements Prediction {
  readonly position: number;
  readonly best: number;
  readonly logits: Float32Array | undefined;
  readonly routes: TokenRoutes | undefined;
  readonly #make: () => Candidates;
  #candidates: Candidates | undefined;

  constructor({ position, best, logits, routes, candidates }: Parts) {
    this.position = position;
    this.best = best;
    this.logits = logits;
    this.routes = routes;
    this.#make = candidates;
  }

  get candidates(): Candidates {
    this.#candidates ??= this.#make();
    return this.#candidates;
  }

  likeliest(count: number): TokenChance[] {
    const { ids } = this.candidates;
    return Array.from(ids.subarray(0, count), (id, rank) => ({ id, logprob: this.#logprobAt(rank) }));
  }

  logprob(id: number): number {
    const { logits } = this;
    if (logits) {
      const { logits: sorted, sum } = this.candidates;
      return (logits[id] ?? NaN) - (sorted[0] ?? 0) - Math.log(sum);
    }
    const rank = this.candidates.ids.indexOf(id);
    return rank < 0 ? NaN : this.#logprobAt(rank);
  }

  #logprobAt(rank: number): number {
    const { logits, sum } = this.candidates;
    return (logits[rank] ?? 0) - (logits[0] ?? 0) - Math.log(sum);
  }
}

/** How predictions are made for a request. */
export interface PredictionOptions {
  readonly options: CheckedOptions;
  readonly needsLogits: boolean;
}

/**
 * The prediction of a step; in the same job of the queue as the step, since the next one takes its logits' place.
 *
 * @throws {AtomoeError} non-finite
 */
export async function predictionOf(
  result: StepResult,
  position: number,
  { options, needsLogits }: PredictionOptions,
): Promise<ModelPrediction> {
  const { best, candidates, routes } = result;
  if (best === NOT_FINITE) throw notFinite(position);
  invariant(candidates, () => 'a step of a strategy without candidates');
  const isEnough = !needsLogits && isCovered(candidates, options);
  const logits = isEnough ? undefined : await result.logits();
  return new ModelPrediction({ position, best, logits, routes, candidates: () => candidates });
}

/** @throws {AtomoeError} non-finite */
export function predictionFrom(
  logits: Float32Array,
  position: number,
  routes: TokenRoutes | undefined,
  { options }: PredictionOptions,
): ModelPrediction {
  const best = argmax(logits);
  if (best === undefined) throw notFinite(position);
  const candidates = () => allCandidates(logits, options.temperature);
  return new ModelPrediction({ position, best, logits, routes, candidates });
}

/** @returns the id of the largest logit, the lowest on ties; undefined where one is NaN or infinite */
function argmax(logits: Float32Array): number | undefined {
  let best = 0;
  for (const [id, logit] of logits.entries()) {
    if (!Number.isFinite(logit)) return undefined;
    if (logit > (logits[best] ?? 0)) best = id;
  }
  return best;
}
