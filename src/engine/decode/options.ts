/** The strategies of the package, as plain data that crosses to workers. */
import type { RoutingHooks } from '../routing-hooks.ts';
import type { DecodingStrategy } from './strategy.ts';

/** Prompt lookup: drafts from n-grams of the text so far, several of which one step checks. */
export interface NgramOptions {
  kind: 'ngram';
  draft?: number; // tokens of a draft at most, 1 to 15; default 8
  longest?: number; // tokens that have to recur for a draft, tried first, then fewer; default 3
}

/** Self-contrast: the model less the same model with other hooks. */
export interface ContrastOptions {
  kind: 'contrast';
  weak?: RoutingHooks; // of the weak model, in place of the request's; default: the third best expert alone
  beta?: number; // how much of the weak model is taken away; default 0.5
  alpha?: number; // tokens below this share of the best one's probability never come, 0 to 1; default 0.1
  strongTemperature?: number; // that logits are divided by before they are contrasted; default 1
  weakTemperature?: number;
}

/** Mixtures of embeddings in the place of tokens. */
export interface SoftThinkingOptions {
  kind: 'soft-thinking';
  threshold?: number; // of the largest probability, 0 to 1; default 0.5
  when?: 'sure' | 'unsure'; // mixtures where it is at least the threshold (default), or where it is below
  tokens?: number; // that are mixed, 1 to 64; default 10
  within?: 'thoughts' | 'reply'; // where they may be; default 'thoughts', of models that think
}

/** Self-consistency: several replies, of which the one with the commonest answer is told. */
export interface ConsistencyOptions {
  kind: 'consistency';
  samples?: number; // with the request's seed and those after it; default 5
  answer?: 'text' | 'number'; // what is compared: the whole answer (default), or its last number
}

/** Online re-routing: biases on the routers that make the text so far likelier. */
export interface RewireOptions {
  kind: 'rewire';
  every?: number; // tokens of the reply between two searches; default 64, and the first is behind the prompt
  window?: number; // tokens at the end of the text that are scored, read alone; default 128
  tries?: number; // directions of a search; default 8
  step?: number; // standard deviation of the first biases that are tried; default 0.5
}

/** A strategy of the package with its options. */
export type DecodingOptions =
  NgramOptions | ContrastOptions | SoftThinkingOptions | ConsistencyOptions | RewireOptions;

/** The strategies of the package. */
export type DecodingName = DecodingOptions['kind'];

/** A strategy of decoding: its name, with options or without, or one of the caller's, only where the engine runs in the same thread. */
export type DecodingOption = DecodingName | DecodingOptions | DecodingStrategy;

/** What a strategy of decoding has to say of a reply: its name, and facts by names of its own. */
export interface DecodingReport {
  readonly strategy: string;
  readonly [fact: string]: number | string;
}
