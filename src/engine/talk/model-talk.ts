import { AtomoeError } from '../../errors.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { AdapterReport, Engine, LoadOptions, ModelInfo } from '../api.ts';
import { typed } from '../failures.ts';
import type { Drafted } from '../load/planning.ts';
import type { JobQueue } from '../run/queue.ts';
import type { Runner } from '../run/runner.ts';
import type { GenerationDefaults } from './generation-defaults.ts';
import type { OpenSessions } from './open-sessions.ts';
import { EngineSession } from './session.ts';
import type * as TextTools from './text-tools.ts';

/** A loaded model, as its sessions see it. */
export interface TalkParts {
  readonly info: Pick<ModelInfo, 'label' | 'family'>;
  readonly runner: Runner;
  readonly queue: JobQueue;
  readonly tokenizer: Tokenizer | undefined;
  readonly eosIds: ReadonlySet<number>;
  readonly defaults: GenerationDefaults;
  readonly drafted: Drafted;
  readonly options: LoadOptions;
  readonly sessions: OpenSessions;
  readonly isGone: () => boolean; // another model has come
  readonly onToken: () => void;
}

/** Sessions and texts of one loaded model. */
export class ModelTalk {
  readonly #parts: TalkParts;
  #hash: Promise<string> | undefined; // once a session was saved or restored

  constructor(parts: TalkParts) {
    this.#parts = parts;
  }

  /**
   * Checks now what could be refused; a session is opened later, when the result is called.
   *
   * @throws {AtomoeError} bad-file - the model has no tokenizer
   */
  prepare(): () => EngineSession {
    const { sessions, isGone, drafted, ...parts } = this.#parts;
    const tokenizer = this.#tokenizer();
    const open = (): EngineSession => {
      if (isGone()) {
        throw new AtomoeError('disposed', 'the model was replaced before the reply began; ask again');
      }
      const own = { ...parts, tokenizer, model: drafted, another: open, modelHash: () => this.#modelHash() };
      return sessions.open((onDispose) => new EngineSession({ ...own, onDispose }));
    };
    return open;
  }

  readonly tokenize: Engine['tokenize'] = (prompt, options) =>
    this.#withTools(async (tools) => tools.tokenize(this.#means(), prompt, options));

  readonly detokenize: Engine['detokenize'] = (ids) =>
    this.#withTools(async (tools) => tools.detokenize(this.#means(), ids));

  readonly score: Engine['score'] = (prompt, text, options) =>
    this.#withTools(async (tools) => tools.score(this.#means(), prompt, text, options), options?.signal);

  /** The same where the same seed gives the same text. */
  fingerprint({ device, name }: AdapterReport): unknown[] {
    const { info, options } = this.#parts;
    const { quantize, activations, lossy } = options;
    return [device, name, info.label, info.family, quantize, activations, lossy, ...bitsOf(options)];
  }

  #withTools<T>(run: (tools: typeof TextTools) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return typed(signal, async () => run(await import('./text-tools.ts')));
  }

  #means(): TextTools.TextMeans {
    const { runner, queue, drafted, isGone } = this.#parts;
    return { tokenizer: this.#tokenizer(), runner, queue, vocab: drafted.spec.vocab, isGone };
  }

  #tokenizer(): Tokenizer {
    const { tokenizer, drafted } = this.#parts;
    if (tokenizer) return tokenizer;
    const { label, gguf } = drafted.checkpoint;
    throw new AtomoeError(
      'bad-file',
      gguf
        ? `${label}: the GGUF file has no tokenizer; text needs one; choose another file of the model`
        : `${label}: tokenizer.json is missing; text needs it; download the tokenizer files too`,
    );
  }

  #modelHash(): Promise<string> {
    const { drafted, options } = this.#parts;
    const { quantize, activations, lossy, routing } = options;
    const routed = typeof routing === 'function' ? 'a function' : routing;
    const given = [quantize, activations, lossy, routed, ...bitsOf(options)];
    this.#hash ??= import('./saved-session.ts').then(({ hashOf }) => hashOf(drafted.checkpoint, given));
    return this.#hash;
  }
}

/** Experts of fewer bits are other weights. */
function bitsOf({ expertBits }: Pick<LoadOptions, 'expertBits'>): number[] {
  return expertBits === undefined ? [] : [expertBits];
}
