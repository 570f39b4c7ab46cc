import type { ReplyMarkers } from '../../text/reply-markers.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { FinishReason, GenerateEvent, GenerateOptions, Prompt, RestoreReport, Session } from '../api.ts';
import type { ModelSpec } from '../../models/spec.ts';
import { attempt, neverReactive } from '../checks.ts';
import type { Decoding } from '../decode/decoding.ts';
import type { DecodedToken } from '../decode/strategy.ts';
import { asTyped, sessionBusy, sessionDisposed } from '../failures.ts';
import { encodePrompt, type EncodedPrompt } from './encode-prompt.ts';
import { readPrompt, type CheckedPrompt } from './messages.ts';
import { checkOptions, constraintIn, type CheckedOptions } from '../options.ts';
import type { GenerationDefaults } from './generation-defaults.ts';
import type { RequestedModel } from './request-context.ts';
import { freeMemory, freeWith, type SessionMemory } from './open-sessions.ts';
import type { JobQueue } from '../run/queue.ts';
import { doneEvent, showToken, type Reply } from './reply-events.ts';
import { onAbort, ReplyStream } from './reply-stream.ts';
import type { Runner, RunnerState, StepResult } from '../run/runner.ts';
import { loadDrawing, pickToken } from './pick.ts';
import type * as SessionCopies from './session-copies.ts';
import type { Held } from './session-copies.ts';
import { ReplyText } from './reply-text.ts';
import { checkIds, checkPromptLength, commonPrefix } from './token-ids.ts';

/** What a session works with: the model, its tokenizer, and the queue of the engine's steps. */
export interface SessionParts {
  readonly runner: Runner;
  readonly queue: JobQueue;
  readonly tokenizer: Tokenizer;
  readonly eosIds: ReadonlySet<number>;
  readonly model: RequestedModel & { readonly spec: Pick<ModelSpec, 'hidden'> };
  readonly defaults: GenerationDefaults;
  readonly another: () => EngineSession; // opens one of the same engine
  readonly modelHash: () => Promise<string>; // for saved sessions
  readonly onDispose: () => void;
  readonly onToken: () => void;
}

/** A conversation: the tokens that are in the KV cache, and one reply at a time. */
export class EngineSession implements Session {
  readonly #parts: SessionParts;
  readonly #memory: SessionMemory = { state: undefined };
  #ids: number[] = []; // tokens whose keys and values are in the cache
  #hooks = ''; // hooks and tensors with which they were computed, as text
  #finish: (() => void) | undefined; // ends the reply that is continuing, read or not
  #isDisposed = false;

  constructor(parts: SessionParts) {
    neverReactive(this);
    freeWith(this, this.#memory);
    this.#parts = parts;
  }

  get tokens(): number {
    return this.#ids.length;
  }

  generate(prompt: Prompt, options: GenerateOptions = {}): AsyncIterableIterator<GenerateEvent, void> {
    const request = attempt(() => readRequest(prompt, options, this.#parts.defaults)); // now: the caller may change them later
    return new ReplyStream((finish) => this.#generate(request, finish));
  }

  async *#generate(
    request: () => CheckedRequest,
    finish: () => void,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    this.#assertFree();
    const { prompt, options } = request();
    this.#finish = finish;
    const unlisten = onAbort(options.signal, finish);
    let done: GenerateEvent;
    try {
      done = yield* this.#events(prompt, this.#begin(options));
    } finally {
      unlisten();
      this.#finish = undefined;
      if (this.#isDisposed) await freeMemory(this.#memory);
    }
    yield done; // now, since a reader that stops at it would leave the session busy
  }

  async *#events(
    prompt: CheckedPrompt,
    reply: Reply,
  ): AsyncGenerator<GenerateEvent, GenerateEvent, undefined> {
    const { signal, reusePrefix } = reply.options;
    try {
      signal?.throwIfAborted();
      const { ids, newText, markers } = await this.#encode(prompt, reply.options);
      reply.written = newText();
      reply.promptTokens = ids.length;
      const hooks = await this.#readContext(reply);
      reply.reusedTokens = reusePrefix && hooks === this.#hooks ? commonPrefix(this.#ids, ids) : 0;
      this.#hooks = hooks;
      yield* this.#openDecoding(reply, markers);
      if (requestOf(reply).candidates) await loadDrawing();
      const first = yield* this.#prefill(ids, reply);
      reply.prefillMs = performance.now() - reply.startedMs;
      const { decoding } = reply;
      const tokens = decoding ? this.#decode(decoding, newText, reply) : this.#plainTokens(first, reply);
      return doneEvent(yield* this.#reply(tokens, reply), reply, this.#parts);
    } catch (error) {
      // A stopped reply is a reply: what was said so far, and its figures.
      if (!signal?.aborted || error !== signal.reason) throw asTyped(error);
      return doneEvent('abort', reply, this.#parts);
    }
  }

  /** @returns hooks and tensors of a reply as text: with others, the same tokens have other keys and values */
  async #readContext(reply: Reply): Promise<string> {
    const { options, promptTokens } = reply;
    const { hooks, tensors, maxTokens } = options;
    const { model, runner } = this.#parts;
    const requested = model.decode.requested ?? [];
    if (hooks === undefined && tensors === undefined && requested.length === 0) return '';
    const { readContext } = await import('./request-context.ts');
    const tokens = Math.min(promptTokens + maxTokens - 1, runner.contextTokens);
    const context = readContext({ hooks, tensors }, model, tokens);
    reply.hooks = context.hooks;
    reply.given = context.given;
    return context.text;
  }

  async *#openDecoding(
    reply: Reply,
    markers: ReplyMarkers | undefined,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    const { options } = reply;
    if (options.decoding === undefined && constraintIn(options) === undefined) return;
    const { tokenizer, eosIds, model } = this.#parts;
    const { Decoding } = await import('../decode/decoding.ts');
    reply.decoding = await Decoding.open(options, { tokenizer, eosIds, vocab: model.spec.vocab, markers });
    const { load } = reply.decoding;
    if (!load) return;
    yield { kind: 'library', name: 'xgrammar', isLoaded: false };
    await load();
    yield { kind: 'library', name: 'xgrammar', isLoaded: true };
  }

  reset(): void {
    this.#assertFree();
    this.#ids = [];
  }

  clone(): Promise<Session> {
    return this.#hold(async (copies) => {
      const clone = this.#parts.another();
      const own = clone.#held();
      await copies.cloneInto(own, this.#held(), this.#parts, () => clone.dispose());
      [clone.#ids, clone.#hooks] = [[...this.#ids], this.#hooks];
      return clone;
    });
  }

  save(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#hold((copies) => copies.save(this.#held(), this.#parts));
  }

  restore(saved: Uint8Array, options: { signal?: AbortSignal } = {}): Promise<RestoreReport> {
    return this.#hold(async (copies) => {
      const { ids, hooks, take } = await copies.restorable(saved, this.#parts);
      this.#ids = [];
      this.#hooks = hooks;
      const report = await take(await this.#opened(), options.signal);
      this.#ids = ids;
      return report;
    });
  }

  #held(): Held {
    return { memory: this.#memory, ids: this.#ids, hooks: this.#hooks };
  }

  /** Runs a job that no reply may come between. */
  async #hold<T>(job: (copies: typeof SessionCopies) => Promise<T>): Promise<T> {
    this.#assertFree();
    this.#finish = () => {};
    try {
      return await job(await import('./session-copies.ts'));
    } catch (error) {
      throw asTyped(error);
    } finally {
      this.#finish = undefined;
      if (this.#isDisposed) await freeMemory(this.#memory);
    }
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#parts.onDispose();
    if (this.#finish) this.#finish();
    else void freeMemory(this.#memory);
  }

  #assertFree(): void {
    this.#assertUsable();
    if (this.#finish) throw sessionBusy();
  }

  #assertUsable(): void {
    if (this.#isDisposed) throw sessionDisposed();
  }

  #begin(options: CheckedOptions): Reply {
    const { tokenizer } = this.#parts;
    return {
      options,
      startedMs: performance.now(),
      written: new ReplyText(tokenizer, options.stop),
      promptTokens: 0,
      reusedTokens: 0,
      count: 0,
      prefillMs: 0,
      firstTokenMs: 0,
      droppedBefore: this.#parts.runner.lossyReport()?.dropped ?? 0,
      hooks: undefined,
      given: undefined,
      decoding: undefined,
      trace: [],
    };
  }

  async #encode(prompt: CheckedPrompt, options: CheckedOptions): Promise<EncodedPrompt> {
    const { runner, model, tokenizer } = this.#parts;
    const encoded = await encodePrompt(prompt, options, tokenizer);
    const { ids } = encoded;
    checkPromptLength(ids.length, runner.contextTokens);
    checkIds(ids, model.spec.vocab, runner.contextTokens);
    return encoded;
  }

  /** Brings the cache up to the whole prompt, chunk by chunk; the last chunk's step gives the first logits. */
  async *#prefill(
    ids: readonly number[],
    reply: Reply,
  ): AsyncGenerator<GenerateEvent, StepResult, undefined> {
    const { runner, queue } = this.#parts;
    const { options } = reply;
    const state = await this.#opened();
    reply.reusedTokens = runner.rewindTo(state, reply.reusedTokens);
    this.#ids.length = reply.reusedTokens;
    if (options.repetitionPenalty !== 1) runner.setSeen(state, ids);
    for (;;) {
      this.#assertUsable();
      const past = this.#ids.length;
      const chunk = ids.slice(past, past + runner.chunkTokens);
      const isLast = past + chunk.length === ids.length;
      yield { kind: 'prefill', doneTokens: past, totalTokens: ids.length };
      options.signal?.throwIfAborted();
      const request = { ...requestOf(reply), ids: chunk, past, routes: isLast && options.routes };
      const result = await queue.run(async () => {
        const step = isLast ? await runner.step(state, request, options.signal) : undefined;
        if (!isLast) await runner.prefill(state, request, options.signal);
        if (step) await reply.decoding?.begin(step, ids.length);
        if (options.trace) reply.trace.push(...(await runner.trace(state)));
        return step;
      });
      this.#ids.push(...chunk);
      if (result) {
        yield { kind: 'prefill', doneTokens: ids.length, totalTokens: ids.length };
        return result;
      }
    }
  }

  /** Draws tokens, and feeds them back. */
  async *#plainTokens(first: StepResult, reply: Reply): AsyncGenerator<DecodedToken, void, undefined> {
    const { runner, queue } = this.#parts;
    const { options } = reply;
    let result = first;
    for (;;) {
      options.signal?.throwIfAborted();
      const picked = await pickToken(result, options, this.#ids.length);
      yield { ...picked, routes: result.routes };
      this.#assertUsable();
      options.signal?.throwIfAborted();
      const state = await this.#openedState();
      const past = this.#ids.length;
      const request = { ...requestOf(reply), ids: [picked.id], past };
      result = await queue.run(async () => {
        const step = await runner.step(state, request, options.signal);
        if (options.trace) reply.trace.push(...(await runner.trace(state)));
        return step;
      });
      this.#ids.push(picked.id);
    }
  }

  /** The tokens that a strategy decides on. */
  async *#decode(
    decoding: Decoding,
    newText: () => ReplyText,
    reply: Reply,
  ): AsyncGenerator<DecodedToken, void, undefined> {
    const state = await this.#openedState();
    const assertUsable = () => this.#assertUsable();
    const isThinking = () => reply.written.isThinking;
    const own = { request: requestOf(reply), prompt: this.#ids, state, newText, isThinking, assertUsable };
    try {
      yield* decoding.tokens({ ...this.#parts, ...own });
    } finally {
      this.#ids = decoding.plainIds;
    }
  }

  #opened(): Promise<RunnerState> {
    const { runner, queue } = this.#parts;
    const memory = this.#memory;
    memory.state ??= queue.run(() => runner.openState());
    memory.state.catch(() => (memory.state = undefined));
    return memory.state;
  }

  async #openedState(): Promise<RunnerState> {
    const state = await this.#memory.state;
    if (!state) throw sessionDisposed();
    return state;
  }

  /** Shows tokens until something ends the reply. */
  async *#reply(
    tokens: AsyncIterable<DecodedToken>,
    reply: Reply,
  ): AsyncGenerator<GenerateEvent, FinishReason, undefined> {
    const { runner, eosIds, onToken } = this.#parts;
    const { maxTokens } = reply.options;
    for await (const token of tokens) {
      if (eosIds.has(token.id)) return 'stop';
      const { event, isStopped } = showToken(token, reply, this.#parts);
      onToken();
      yield event;
      if (isStopped) return 'stop';
      // The last token needs no place in the context.
      if (reply.count >= maxTokens || reply.promptTokens + reply.count > runner.contextTokens)
        return 'length';
    }
    return 'stop';
  }
}

interface CheckedRequest {
  readonly prompt: CheckedPrompt;
  readonly options: CheckedOptions;
}

function readRequest(prompt: unknown, options: unknown, defaults: GenerationDefaults): CheckedRequest {
  const drawSeed = () => Math.floor(Math.random() * 2 ** 32);
  return { prompt: readPrompt(prompt), options: checkOptions(options, drawSeed, defaults) };
}

function requestOf({ options, hooks, given, decoding }: Reply) {
  const { repetitionPenalty, temperature, logprobs, routes } = options;
  const isGreedy = temperature === 0;
  return {
    penalty: repetitionPenalty,
    temperature: isGreedy ? 1 : temperature,
    candidates: !isGreedy || logprobs !== undefined || decoding !== undefined,
    routes,
    hooks,
    given,
  };
}
