/** What a chat can be, as one frozen union. Views draw it and never ask anything else. */
import type {
  FinishReason,
  GenerateEvent,
  LoadProgress,
  ModelInfo,
  ModelPlan,
  Timings,
  Usage,
} from '../engine/api.ts';
import { LOAD_BEGUN, type LoadStatus } from '../engine/load/load-status.ts';
import { AtomoeError, type ErrorCode } from '../errors.ts';
import type { ReplyFigures, ShownTurn } from './conversation.ts';
import type { DoneEvent } from './talk.ts';
import { visitorSentence } from './visitor-words.ts';

/** One message of a chat, as it is shown: a turn of the conversation, with its versions. */
export type Message = ShownTurn;

/** What went wrong, in the words that a person reads. */
export interface Problem {
  readonly code: ErrorCode | 'unexpected';
  readonly message: string;
  readonly detail: string; // the error's own message, for developers; empty where `message` is that
}

/** How the last reply went. */
export interface ReplyReport {
  readonly reason: FinishReason;
  readonly seed: number;
  readonly usage: Usage;
  readonly timings: Timings;
}

interface Chat {
  readonly messages: readonly Message[];
  readonly model: ModelInfo | undefined; // what is loaded
  readonly report: ReplyReport | undefined; // of the last finished reply
  readonly context: ContextUse | undefined; // undefined: no model, or another server's
  readonly leftOut: readonly number[]; // ids of messages that the model is no longer given
}

/** How much of the model's context the conversation takes, in tokens. */
export interface ContextUse {
  readonly usedTokens: number; // by the last reply that is shown, and all before it
  readonly totalTokens: number;
}

/** What a chat is doing, with the data of that phase. */
export type ChatPhase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'planning'; readonly plan: ModelPlan | undefined } // undefined: still reading headers
  | {
      readonly kind: 'loading';
      readonly progress: LoadProgress; // the last event
      readonly load: LoadStatus; // all of them, joined
    }
  | { readonly kind: 'ready' }
  | { readonly kind: 'replying'; readonly prefill: Prefill | undefined } // undefined: tokens are coming
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly problem: Problem; readonly retry: 'load' | 'send' };

/** Progress of a prompt, in tokens. */
export interface Prefill {
  readonly doneTokens: number;
  readonly totalTokens: number;
}

/** The state of a chat: immutable, replaced on every change. */
export type ChatState = Chat & ChatPhase;

/** The state before anything was asked for. */
export const INITIAL_STATE: ChatState = Object.freeze({
  kind: 'idle',
  messages: Object.freeze([]),
  model: undefined,
  report: undefined,
  context: undefined,
  leftOut: Object.freeze([]),
});

/** A load that has only begun. */
export const LOADING: ChatPhase = { kind: 'loading', progress: { kind: 'planning' }, load: LOAD_BEGUN };

/** Whether the last message is still nothing but thoughts. */
export function isThinking({ status, text, thoughts }: Message): boolean {
  return status === 'streaming' && text === '' && thoughts !== '';
}

/** Whether the last reply ended before the model did, and can go on from there. */
export function canContinue({ model, messages }: ChatState, id: number): boolean {
  const last = messages.at(-1);
  if (!model || !Number.isFinite(model.plan.contextTokens)) return false; // another server's cannot go on
  if (last?.id !== id || last.role !== 'assistant') return false;
  if (model.hasChatTemplate && last.text.trim() === '') return false; // templates show no thoughts that are cut
  return last.status === 'stopped' || (last.status === 'complete' && last.figures?.reason === 'length');
}

/** A failure in words for visitors, with its code. */
export function problemOf(error: unknown): Problem {
  if (error instanceof AtomoeError) {
    const sentence = visitorSentence(error.code, error.message);
    return { code: error.code, message: sentence ?? error.message, detail: sentence ? error.message : '' };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'unexpected',
    message: `Something unexpected stopped the model: ${message}. Try again.`,
    detail: '',
  };
}

/** What the figures of a reply are. */
export function figuresOf(
  { reason, seed, usage, timings }: DoneEvent,
  firstTokenMs: number | undefined,
): ReplyFigures {
  return {
    reason,
    seed,
    completionTokens: usage.completionTokens,
    contextTokens: usage.promptTokens + usage.completionTokens,
    firstTokenMs: firstTokenMs ?? 0,
    tokensPerSecond: timings.tokensPerSecond,
  };
}

/** The figures of a finished reply. */
export function reportOf(event: GenerateEvent & { kind: 'done' }): ReplyReport {
  const { reason, seed, usage, timings } = event;
  return { reason, seed, usage, timings };
}

/** A whole state may be passed where a phase is wanted; only its phase is kept. */
export function phaseOnly(phase: ChatPhase): ChatPhase {
  switch (phase.kind) {
    case 'planning':
      return { kind: phase.kind, plan: phase.plan };
    case 'loading':
      return { kind: phase.kind, progress: phase.progress, load: phase.load };
    case 'replying':
      return { kind: phase.kind, prefill: phase.prefill };
    case 'failed':
      return { kind: phase.kind, problem: phase.problem, retry: phase.retry };
    case 'idle':
    case 'ready':
    case 'stopped':
      return { kind: phase.kind };
  }
}

/** @throws {AtomoeError} bad-input - what a method was given to say is not text */
export function assertText(text: unknown, method: string): asserts text is string {
  if (typeof text === 'string') return;
  throw new AtomoeError('bad-input', `${method} was given ${typeof text}; wanted text; give what to say`);
}
