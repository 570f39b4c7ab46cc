/**
 * The messages between the page and the engine's worker. Everything here survives structured cloning: no functions,
 * no signals, no class instances but `File`. A request carries an id that its answers repeat; aborting, crediting and
 * leaving a stream name that id.
 */
import type {
  AdapterReport,
  ChatCompletion,
  ChatCompletionChunk,
  DeviceKind,
  DispatchReport,
  GenerateEvent,
  GenerateOptions,
  LoadOptions,
  LoadProgress,
  MemoryReport,
  ModelInfo,
  ModelPlan,
  StreamingReport,
} from '../engine/api.ts';
import type { AutoBudget } from '../engine/load/auto-memory.ts';
import type { CheckedChatBody } from '../engine/talk/completions-request.ts';
import type { CheckedPrompt } from '../engine/talk/messages.ts';
import { asTyped, textOf, typedError } from '../engine/failures.ts';
import { AtomoeError, type ErrorCode } from '../errors.ts';

/** How the worker opens its engine. */
export interface OpenOptions {
  readonly device?: DeviceKind; // 'auto' by default
  readonly threads?: number; // of the CPU, where it runs the model; default: the machine's, less one, 8 at most
  readonly adapterClass?: AdapterReport['adapterClass']; // for tests: as what to run the adapter
  readonly tuning?: 'auto' | 'off'; // whether to find the fastest kernels for this adapter; 'auto' by default
  readonly autoBudget?: AutoBudget; // what memoryBudget: 'auto' means: the page knows more of the machine
  readonly headers?: Readonly<Record<string, string>>; // of every model that names none of its own
}

/** A model source as it crosses: `files` are cloned, a `ModelFiles` object stays behind and is read by proxy. */
export type WireSource =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'files'; readonly files: readonly File[] }
  | {
      readonly kind: 'proxy';
      readonly folder: number;
      readonly label: string;
      readonly entry: string | undefined;
    };

/** Load options that survive structured cloning. */
export type WireLoadOptions = Omit<LoadOptions, 'signal' | 'onProgress' | 'fetch'>;

/** Options of a reply that survive structured cloning. */
export type WireGenerateOptions = Omit<GenerateOptions, 'signal'>;

/** A checked chat request without its signal. */
export type WireChatRequest = CheckedChatBody['body'];

/** What goes wrong, without the class. */
export type WireError =
  | { readonly kind: 'atomoe'; readonly code: ErrorCode; readonly message: string; readonly cause: string }
  | { readonly kind: 'aborted' }; // the caller's own signal: the caller knows the reason

/** A call that is answered once. */
export type CallRequest =
  | { readonly kind: 'open'; readonly options: OpenOptions }
  | { readonly kind: 'plan' | 'load'; readonly source: WireSource; readonly options: WireLoadOptions }
  | { readonly kind: 'resize'; readonly change: Pick<LoadOptions, 'memoryBudget' | 'streaming'> }
  | { readonly kind: 'streaming' }
  | { readonly kind: 'logits'; readonly ids: readonly number[]; readonly mode: 'at-once' | 'one-by-one' }
  | { readonly kind: 'profile' }
  | { readonly kind: 'complete'; readonly request: WireChatRequest }
  | { readonly kind: 'text'; readonly ask: TextCall }
  | { readonly kind: 'held'; readonly session: number; readonly ask: SessionCall };

/** A call about texts and token ids: a method of the engine, whose arguments cross; its signal is put into the third. */
export interface TextCall {
  readonly name: 'tokenize' | 'detokenize' | 'score';
  readonly given: readonly unknown[];
}

/** A call about what a session holds: a method of it. */
export interface SessionCall {
  readonly name: 'clone' | 'save' | 'restore';
  readonly given: readonly unknown[];
  readonly as?: number; // the number of a clone
}

/** A call that is answered by a stream of events; `credits` is how many may be on their way unread. */
export type StreamRequest =
  | {
      readonly kind: 'generate';
      readonly session: number;
      readonly prompt: CheckedPrompt;
      readonly options: WireGenerateOptions;
      readonly credits: number;
    }
  | { readonly kind: 'complete-stream'; readonly request: WireChatRequest; readonly credits: number };

/** Answers of the page to the worker's proxy reads. */
export type FileAnswer =
  | { readonly kind: 'file-opened'; readonly read: number; readonly sizeBytes: number | undefined } // undefined: absent
  | { readonly kind: 'file-bytes'; readonly read: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'file-failed'; readonly read: number; readonly error: WireError };

/** Page to worker. */
export type ToHost =
  | ((CallRequest | StreamRequest) & { readonly id: number })
  | { readonly kind: 'abort'; readonly id: number } // the caller's signal fired
  | { readonly kind: 'leave'; readonly id: number } // no one reads this stream any more
  | { readonly kind: 'credit'; readonly id: number; readonly count: number }
  | { readonly kind: 'session'; readonly session: number }
  | { readonly kind: 'session-reset'; readonly session: number }
  | { readonly kind: 'session-dispose'; readonly session: number }
  | { readonly kind: 'dispose' }
  | FileAnswer;

/** The answers to a call, by its kind. */
export type CallResult =
  | { readonly kind: 'opened'; readonly adapter: AdapterReport }
  | { readonly kind: 'planned'; readonly plan: ModelPlan }
  | { readonly kind: 'loaded'; readonly model: ModelInfo; readonly memory: MemoryReport }
  | {
      readonly kind: 'streaming';
      readonly report: StreamingReport | undefined;
      readonly memory: MemoryReport;
    }
  | { readonly kind: 'logits'; readonly logits: Float32Array }
  | { readonly kind: 'profile'; readonly dispatches: readonly DispatchReport[] }
  | { readonly kind: 'completed'; readonly completion: ChatCompletion }
  | { readonly kind: 'asked'; readonly value: unknown; readonly tokens?: number };

/** What a stream carries: events of a session, or chunks of a completion. */
export type StreamItem = GenerateEvent | ChatCompletionChunk;

/** The folder of the WebAssembly kernels, by their builds: the page has them, the worker's script does without. */
export const KERNELS_FOLDER = -1;

/** Requests of the worker to the page for files that stayed there. */
export type FileRequest =
  | { readonly kind: 'file-open'; readonly read: number; readonly folder: number; readonly name: string }
  | {
      readonly kind: 'file-read';
      readonly read: number;
      readonly folder: number;
      readonly name: string;
      readonly offsetBytes: number;
      readonly sizeBytes: number;
    }
  | { readonly kind: 'file-abort'; readonly read: number }
  | { readonly kind: 'file-dispose'; readonly folder: number; readonly name: string };

/** Worker to page. */
export type ToClient =
  | { readonly kind: 'result'; readonly id: number; readonly result: CallResult }
  | { readonly kind: 'progress'; readonly id: number; readonly progress: LoadProgress }
  | { readonly kind: 'started'; readonly id: number }
  | {
      readonly kind: 'events';
      readonly id: number;
      readonly items: readonly StreamItem[];
      readonly tokens: number; // in the session's KV cache
      readonly memory: MemoryReport;
    }
  | { readonly kind: 'ended'; readonly id: number; readonly tokens: number }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly error: WireError;
      readonly isLoaded: boolean; // a failed load may have taken the model before with it
    }
  | { readonly kind: 'lost'; readonly error: WireError }
  | { readonly kind: 'disposed' }
  | FileRequest;

/** What `Worker`, `MessagePort` and a worker's own `self` have in common. */
export interface PortLike {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  addEventListener(type: 'message' | 'messageerror', listener: (event: MessageEvent) => void): void;
  start?(): void; // a MessagePort with listeners waits for it
}

/** Flattens an error for the crossing; `signal` is the caller's, so that its own reason is distinguished from a failure. */
export function encodeError(error: unknown, signal?: AbortSignal): WireError {
  if (signal?.aborted && asTyped(error, signal) === signal.reason) return { kind: 'aborted' };
  const { code, message, cause } = typedError(error);
  return { kind: 'atomoe', code, message, cause: cause === undefined ? '' : textOf(cause) };
}

/** Rebuilds the error on the page; `signal` gives back its own reason. */
export function decodeError(error: WireError, signal?: AbortSignal): unknown {
  switch (error.kind) {
    case 'aborted':
      return signal?.reason ?? new DOMException('The call was aborted.', 'AbortError');
    case 'atomoe':
      return new AtomoeError(
        error.code,
        error.message,
        error.cause === '' ? {} : { cause: new Error(error.cause) },
      );
  }
}
