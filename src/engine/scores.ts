/** How likely given tokens are. Part of the public interface, `api.ts`. */
import type { TokenLogprob } from './decode/strategy.ts';

/** Options of `Engine.score`. */
export interface ScoreOptions {
  logprobs?: number; // how many of the likeliest tokens to report in each place; 0..20
  signal?: AbortSignal;
}

/** A token of a scored text. */
export interface ScoredToken extends TokenLogprob {
  readonly alternatives?: readonly TokenLogprob[]; // the likeliest first; only where `logprobs` was asked for
}
