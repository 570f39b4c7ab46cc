/**
 * Strategies of decoding: what a reply's tokens come from. A strategy of the caller's has the same means as those of the
 * package; examples/decoding-strategy has one.
 */
import type { RoutingHooks, TokenRoutes } from '../routing-hooks.ts';

/** Decides which tokens a reply consists of. It runs where the engine runs. */
export interface DecodingStrategy {
  readonly name: string; // in the last event of the reply
  /** Whether every prediction has all logits, which are then read after each step; default false: the likeliest tokens only. */
  readonly needsLogits?: boolean;
  /**
   * Yields the tokens of one reply. After an end token, a stop text, `maxTokens` or an abort it is not asked for more, and
   * its `finally` blocks run; a strategy that ends by itself ends the reply as an end token does.
   */
  decode(decoder: Decoder): AsyncIterable<DecodedToken>;
}

/** A token of a reply. */
export interface DecodedToken {
  readonly id: number;
  readonly logprob?: number | undefined; // natural logarithm of what the model gave it, before temperature and truncation
  readonly alternatives?: readonly TokenChance[]; // as many as `logprobs` asks for
  readonly routes?: TokenRoutes | undefined; // experts of the step that predicted it, where `routes` asks for them
}

/** A token that may come next. */
export interface TokenChance {
  readonly id: number;
  readonly logprob: number; // natural logarithm of its probability, before temperature and truncation
}

/** A token of a reply or an alternative to it, in events. */
export interface TokenLogprob extends TokenChance {
  readonly text: string; // of this token alone: half a character is U+FFFD
  readonly bytes: readonly number[] | null; // null: the id belongs to no token
}

/** What a strategy works with, for one reply. */
export interface Decoder {
  /** The tokens of the prompt. */
  readonly prompt: readonly number[];
  /** The session's own state, behind the prompt. What it holds in the end, the next reply of the session can reuse. */
  readonly state: DecodingState;
  /** What the model says behind the prompt. */
  readonly first: Prediction;
  readonly options: SamplingOptions;
  readonly vocab: number;
  readonly hidden: number; // elements of an embedding
  readonly routed: readonly number[]; // experts of each layer with experts; 0 where hooks cannot change its router
  readonly contextTokens: number; // that a state holds at most
  readonly draftTokens: number; // that `stepAll` takes at its best speed
  /** Whether the reply so far ends within the thoughts of a model that thinks. */
  readonly isThinking: boolean;
  /** Opens another state, behind no token. It takes as much memory as another session. */
  open(): Promise<DecodingState>;
  /**
   * The next token by the options of the request: the likeliest at temperature 0, else one that is drawn by the seed and the
   * prediction's position, so that the same prediction gives the same token.
   *
   * @param choice - other logits [vocab] to choose by, -Infinity for tokens that must not come; another seed than the request's
   */
  choose(prediction: Prediction, choice?: { logits?: Float32Array; seed?: number }): DecodedToken;
  /** A number in [0, 1) of the seed (default: the request's) and a whole number from 0 on. */
  random(counter: number, seed?: number): number;
  /** A reply as without a strategy, from a state and what it predicts, up to an end token (not yielded), a stop text or `maxTokens`. */
  plainly(
    state: DecodingState,
    prediction: Prediction,
    options?: { seed?: number },
  ): AsyncIterable<DecodedToken>;
  /** The embeddings of tokens, as the model's first layer gets them: f32 [ids, hidden]. */
  embeddings(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>>;
  /** Whether a token ends a reply. */
  isEnd(id: number): boolean;
  /** The answer that tokens are, without thoughts, calls of tools, and what follows a stop text. */
  answerOf(ids: readonly number[]): string;
  /** Adds facts to `decoding` in the reply's last event, in the place of earlier ones of the same names. */
  report(facts: Readonly<Record<string, number | string>>): void;
}

/** The options of the request that decide how tokens are predicted and drawn (`GenerateOptions`). */
export interface SamplingOptions {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly seed: number;
  readonly hooks?: RoutingHooks; // of the request, which `state.hook` replaces
}

/**
 * What the model has read of some tokens: keys, values and the like. States go on apart, and each step belongs to one. All
 * are freed with the reply, but for the session's own.
 */
export interface DecodingState {
  /** Tokens that it holds. */
  readonly tokens: number;
  /**
   * Reads tokens and predicts the one behind them. A given embedding takes the place of that of its token; whatever else
   * looks at tokens (the repetition penalty, routers by token) sees the id.
   *
   * @throws {AtomoeError} context-full; bad-input - an id outside the vocabulary; non-finite; unsupported-model - an
   *   embedding, where the model's family builds its graph without a place for one
   */
  step(input: StepInput): Promise<Prediction>;
  /** Reads tokens in one step and predicts the one behind each of them. Predictions differ from those of single steps by rounding. */
  stepAll(ids: readonly number[]): Promise<Prediction[]>;
  /** Sets the hooks of the steps that follow: those of the request at first, none where undefined. */
  hook(hooks: RoutingHooks | undefined): Promise<void>;
  /** Forgets all but the first `tokens`. A model whose states cannot be cut back reads some of them again. */
  rewind(tokens: number): Promise<void>;
  /** Another state that holds the same, with the same hooks. It takes as much memory as another session. */
  fork(): Promise<DecodingState>;
  /** Frees it; the session's own stays. */
  dispose(): void;
}

/** What a step reads: a token, several, or one whose embedding [hidden] is given. */
export type StepInput =
  number | readonly number[] | { readonly id: number; readonly embedding: Float32Array<ArrayBuffer> };

/** What the model says of the next token, after the repetition penalty. */
export interface Prediction {
  readonly position: number; // of the token that it predicts: how many are before it
  readonly best: number; // id of the largest logit, the lowest one on ties
  /** All of them [vocab], where the strategy needs them, or the options of the request did. */
  readonly logits: Float32Array | undefined;
  /** The likeliest tokens in order, 64 at most where there are no logits. */
  likeliest(count: number): TokenChance[];
  /** Of any token where there are logits, else of the 64 likeliest; NaN of others. */
  logprob(id: number): number;
}
