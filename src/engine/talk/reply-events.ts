/** What a reply keeps track of, and the events that are made of it. */
import { tokenBytes } from '../../text/token-bytes.ts';
import type { FinishReason, GenerateEvent, Timings, TokenLogprob, TokenRoutes } from '../api.ts';
import type { Decoding } from '../decode/decoding.ts';
import type { DecodedToken } from '../decode/strategy.ts';
import type { CheckedOptions } from '../options.ts';
import type { StepTensors } from '../run/given-tensors.ts';
import type { StepHooks } from '../run/hooks.ts';
import { originals } from '../run/token-routes.ts';
import type { ReplyText } from './reply-text.ts';
import type { SessionParts } from './session.ts';

type ReplyParts = Pick<SessionParts, 'runner' | 'tokenizer' | 'model'>;

/** What one reply keeps track of. */
export interface Reply {
  readonly options: CheckedOptions;
  readonly startedMs: number;
  written: ReplyText;
  promptTokens: number;
  reusedTokens: number; // of the prompt, that the cache begins with; until the runner said so, may begin with
  count: number;
  prefillMs: number;
  firstTokenMs: number;
  readonly droppedBefore: number; // experts left out before this reply
  hooks: StepHooks | undefined;
  given: StepTensors | undefined; // where the model reads tensors of requests
  decoding: Decoding | undefined; // where a strategy decides on the tokens
  readonly trace: TokenRoutes[]; // of the tokens that it computed, where asked for
}

/** A token as an event. @returns whether it ends the reply by a stop text, too */
export function showToken(
  { id, logprob, alternatives = [], routes }: DecodedToken,
  reply: Reply,
  { tokenizer, model }: ReplyParts,
): { event: GenerateEvent; isStopped: boolean } {
  const { isStopped, ...texts } = reply.written.push(id);
  const atMs = performance.now() - reply.startedMs;
  if (reply.count === 0) reply.firstTokenMs = atMs;
  reply.count += 1;
  const named = (id: number, logprob: number): TokenLogprob => ({
    id,
    logprob,
    text: tokenizer.tokenText(id),
    bytes: tokenBytes(tokenizer, id),
  });
  const event: GenerateEvent = {
    kind: 'token',
    id,
    ...texts,
    atMs,
    ...(routes ? { routes: originals([routes], model)[0] } : {}),
    ...(logprob === undefined || reply.options.logprobs === undefined
      ? {}
      : {
          logprob,
          token: named(id, logprob),
          alternatives: alternatives.map((each) => named(each.id, each.logprob)),
        }),
  };
  return { event, isStopped };
}

/** The last event of a reply. */
export function doneEvent(reason: FinishReason, reply: Reply, { runner, model }: ReplyParts): GenerateEvent {
  reply.written.end();
  const { text, reasoning, toolCalls, reasoningTokens } = reply.written;
  const decodeMs = reply.count === 0 ? 0 : performance.now() - reply.startedMs - reply.firstTokenMs;
  const timings: Timings = {
    prefillMs: reply.prefillMs,
    firstTokenMs: reply.firstTokenMs,
    decodeMs,
    tokensPerSecond: reply.count > 1 && decodeMs > 0 ? (1000 * (reply.count - 1)) / decodeMs : 0,
  };
  const { promptTokens, reusedTokens } = reply;
  const usage = {
    promptTokens,
    reusedTokens,
    completionTokens: reply.count,
    ...(reasoningTokens > 0 ? { reasoningTokens } : {}),
  };
  const lossy = runner.lossyReport();
  const dropped = (lossy?.dropped ?? 0) - reply.droppedBefore;
  return {
    kind: 'done',
    reason,
    text,
    ...(reasoning === '' ? {} : { reasoning }),
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
    seed: reply.options.seed,
    usage,
    timings,
    ...(reply.options.trace ? { trace: { from: reusedTokens, tokens: originals(reply.trace, model) } } : {}),
    ...(lossy ? { lossy: { ...lossy, dropped } } : {}),
    ...(reply.decoding ? { decoding: reply.decoding.report } : {}),
  };
}
