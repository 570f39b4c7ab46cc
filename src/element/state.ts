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
import { AtomoeError, type ErrorCode } from '../errors.ts';
import { visitorSentence } from './visitor-words.ts';

/** One message of a chat. */
export interface Message {
  readonly id: number; // unique in its chat, rising
  readonly role: 'user' | 'assistant';
  readonly text: string;
  readonly thoughts: string; // of a model that thinks before it answers; else empty
  readonly status: 'complete' | 'streaming' | 'stopped' | 'failed';
}

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
}

/** What a chat is doing, with the data of that phase. */
export type ChatPhase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'planning'; readonly plan: ModelPlan | undefined } // undefined: still reading headers
  | {
      readonly kind: 'loading';
      readonly progress: LoadProgress;
      readonly bytesPerSecond: number | undefined; // lately; 0: nothing comes; undefined: too early to say
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
});

/** Whether the last message is still nothing but thoughts. */
export function isThinking({ status, text, thoughts }: Message): boolean {
  return status === 'streaming' && text === '' && thoughts !== '';
}

/** A failure in words for visitors, with its code. */
export function problemOf(error: unknown): Problem {
  if (error instanceof AtomoeError) {
    const sentence = visitorSentence(error.code);
    return { code: error.code, message: sentence ?? error.message, detail: sentence ? error.message : '' };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'unexpected',
    message: `Something unexpected stopped the model: ${message}. Try again.`,
    detail: '',
  };
}

/** The figures of a finished reply. */
export function reportOf(event: GenerateEvent & { kind: 'done' }): ReplyReport {
  const { reason, seed, usage, timings } = event;
  return { reason, seed, usage, timings };
}
