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
  const drawn = logits
    ? drawFrom(given(logits, options), options, chance)
    : drawOwn(prediction, options, chance);
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

/** Candidates from logits of the caller's: only those that may come, so that rounding cannot bring the others. */
function given(logits: Float32Array, { temperature }: CheckedOptions): Candidates {
  const all = allCandidates(logits, temperature);
  const count = all.logits.findLastIndex((logit) => logit > -Infinity) + 1;
  if (count === 0 || logits.some((logit) => !(logit < Infinity))) {
    throw new AtomoeError(
      'bad-input',
      `the logits given to choose() ${count === 0 ? 'allow no token' : 'hold a NaN or Infinity'}; ` +
        'wanted finite numbers, and -Infinity for tokens that must not come; correct the strategy',
    );
  }
  return { ...all, ids: all.ids.subarray(0, count), logits: all.logits.subarray(0, count), vocab: count };
}
