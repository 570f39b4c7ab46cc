import { AtomoeError, invariant } from '../../errors.ts';
import type { Candidates } from '../../graph/ops/sample.ts';
import type { CheckedOptions } from '../options.ts';
import { allCandidates, draw } from '../talk/draw.ts';
import { uniform } from '../talk/random.ts';
import type { ModelPrediction } from './prediction.ts';
import type { DecodedToken, TokenChance } from './strategy.ts';

/** What a token is chosen by in place of the prediction's own logits and the request's seed. */
export interface Choice {
  readonly logits?: Float32Array; // [vocab]
  readonly seed?: number;
}

/**
 * The next token by the options of a request (`Decoder.choose`).
 *
 * @throws {AtomoeError} bad-input - logits of the caller's that allow no token
 */
export function chooseToken(
  prediction: ModelPrediction,
  options: CheckedOptions,
  { logits, seed = options.seed }: Choice = {},
): DecodedToken {
  const chance = uniform(seed, prediction.position);
  const drawn = logits ? drawGiven(logits, options, chance) : drawOwn(prediction, options, chance);
  const { id } = drawn;
  const { logprobs } = options;
  return {
    id,
    logprob: logits ? prediction.logprob(id) : drawn.logprob,
    ...(logprobs === undefined ? {} : { alternatives: prediction.likeliest(logprobs) }),
    routes: prediction.routes,
  };
}

function drawOwn(prediction: ModelPrediction, options: CheckedOptions, chance: number): TokenChance {
  const drawn = draw(prediction.candidates, options, chance);
  if (drawn.kind === 'token') return drawn;
  const { logits } = prediction;
  invariant(logits, () => 'a prediction whose candidates do not suffice has all logits');
  return drawFrom(allCandidates(logits, options.temperature), options, chance);
}

function drawFrom(candidates: Candidates, options: CheckedOptions, chance: number): TokenChance {
  const drawn = draw(candidates, options, chance);
  invariant(drawn.kind === 'token', () => 'all logits suffice to draw a token');
  return drawn;
}

/** Logits of the caller's: only those that may come are drawn from, so that rounding cannot bring the others. */
function drawGiven(logits: Float32Array, options: CheckedOptions, chance: number): TokenChance {
  const { temperature } = options;
  const { ids, best } = allowedIn(logits);
  if (temperature === 0) return drawFrom(allCandidates(logits, 0, [best]), options, chance);
  // Sorting all of a vocabulary would take most of the time of a token.
  const near = ids.filter((id) => (logits[id] ?? 0) >= (logits[best] ?? 0) - NEAR * temperature);
  if (near.length < ids.length) {
    const drawn = draw(nearestOf(logits, temperature, ids, near), options, chance);
    if (drawn.kind === 'token') return drawn;
  }
  return drawFrom(allCandidates(logits, temperature, ids), options, chance);
}

/** Tokens behind the best one by more than this many temperatures weigh less than e^-NEAR of it each. */
const NEAR = 10;

/** The likeliest candidates, with the sums over all. */
function nearestOf(
  logits: Float32Array,
  temperature: number,
  ids: Uint32Array,
  near: Uint32Array,
): Candidates {
  const candidates = allCandidates(logits, temperature, near);
  const [best = 0] = candidates.logits;
  let sum = 0;
  let temperedSum = 0;
  for (const id of ids) {
    const below = (logits[id] ?? 0) - best;
    sum += Math.exp(below);
    temperedSum += Math.exp(below / temperature);
  }
  return { ...candidates, vocab: ids.length, sum, temperedSum };
}

/** The tokens that may come, and the likeliest of them, the lowest on ties. @throws {AtomoeError} bad-input */
function allowedIn(logits: Float32Array): { ids: Uint32Array; best: number } {
  const ids = new Uint32Array(logits.length);
  let count = 0;
  let best = 0;
  for (let id = 0; id < logits.length; id += 1) {
    const logit = logits[id] ?? NaN;
    if (!(logit < Infinity)) throw unusable('hold a NaN or Infinity');
    if (logit === -Infinity) continue;
    if (count === 0 || logit > (logits[best] ?? 0)) best = id;
    ids[count] = id;
    count += 1;
  }
  if (count === 0) throw unusable('allow no token');
  return { ids: ids.subarray(0, count), best };
}

function unusable(how: string): AtomoeError {
  return new AtomoeError(
    'bad-input',
    `the logits given to choose() ${how}; ` +
      'wanted finite numbers, and -Infinity for tokens that must not come; correct the strategy',
  );
}
