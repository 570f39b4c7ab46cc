/** Replies whose tokens a strategy decides on. Loaded with the first of them. */
import { AtomoeError, invariant } from '../../errors.ts';
import type { DecodingReport } from '../api.ts';
import { show } from '../checks.ts';
import { textOf } from '../failures.ts';
import { constraintIn, type CheckedOptions } from '../options.ts';
import type { StepResult } from '../run/runner.ts';
import { builtInStrategy } from './built-in.ts';
import type { ReplyMeans } from './constraints.ts';
import { ModelDecoder, type Lent } from './decoder.ts';
import { predictionOf, type ModelPrediction } from './prediction.ts';
import type { DecodedToken, DecodingStrategy } from './strategy.ts';

function excluded(what: string, leftOut: string): AtomoeError {
  return new AtomoeError('bad-input', `${what}; wanted one of them; leave ${leftOut} out`);
}

/** A strategy, and what has to be loaded for it. */
interface Loadable {
  readonly strategy: DecodingStrategy;
  readonly load?: () => Promise<void>;
}

let hasGrammar = false; // loaded, for all replies

async function loadGrammar(): Promise<void> {
  const { assertLibrary } = await import('../../text/grammar/token-masks.ts');
  assertLibrary();
  hasGrammar = true;
}

/** The strategy of a reply whose options ask for something of its tokens. */
async function constrainedStrategy(options: CheckedOptions, means: ReplyMeans): Promise<Loadable> {
  const [{ readConstraints }, { constrained }] = await Promise.all([
    import('./constraints.ts'),
    import('./constrained.ts'),
  ]);
  const constraints = readConstraints(options, means);
  const { shape } = constraints;
  if (!shape) return { strategy: constrained(constraints, undefined) };
  const strategy = constrained(constraints, async () => {
    const { openMask } = await import('../../text/grammar/token-masks.ts');
    return openMask(shape, means);
  });
  return hasGrammar ? { strategy } : { strategy, load: loadGrammar };
}

/** The strategy of one reply. */
export class Decoding {
  readonly #strategy: DecodingStrategy;
  readonly #options: CheckedOptions;
  readonly #isOwn: boolean; // the caller's
  /** Loads the library XGrammar, where this reply is the first that needs it. */
  readonly load: (() => Promise<void>) | undefined;
  #first: ModelPrediction | undefined;
  #decoder: ModelDecoder | undefined;

  private constructor({ strategy, load }: Loadable, options: CheckedOptions, isOwn: boolean) {
    this.#strategy = strategy;
    this.load = load;
    this.#options = options;
    this.#isOwn = isOwn;
  }

  /** @throws {AtomoeError} bad-input - options that exclude each other, or wrong ones; unsupported-model */
  static async open(options: CheckedOptions, means: ReplyMeans): Promise<Decoding> {
    const { decoding: given } = options;
    const constraint = constraintIn(options);
    const what = constraint ?? 'decoding';
    if (options.trace) {
      throw excluded(`trace is true beside ${what}, and a strategy may take back what was traced`, 'trace');
    }
    if (given === undefined) return new Decoding(await constrainedStrategy(options, means), options, false);
    if (constraint) {
      throw excluded(`${constraint} is given beside decoding, and both decide on the tokens`, constraint);
    }
    const isOwn = typeof given !== 'string' && 'decode' in given;
    return new Decoding({ strategy: isOwn ? given : await builtInStrategy(given) }, options, isOwn);
  }

  /** Takes what the model says behind the prompt, in the job of the step that said it. @throws {AtomoeError} non-finite */
  async begin(result: StepResult, position: number): Promise<void> {
    this.#first = await predictionOf(result, position, this.#needs);
  }

  /** The tokens of the reply. Frees what the strategy opened when they end, or are not read any more. */
  async *tokens(
    lent: Omit<Lent, 'first' | 'needsLogits' | 'options'>,
  ): AsyncGenerator<DecodedToken, void, undefined> {
    const first = this.#first;
    invariant(first, () => 'the prompt has not been read');
    const decoder = new ModelDecoder({ ...lent, ...this.#needs, first });
    this.#decoder = decoder;
    try {
      for await (const token of this.#strategy.decode(decoder)) yield this.#checked(token, decoder.vocab);
    } catch (error) {
      throw this.#blamed(error);
    } finally {
      await decoder.end();
    }
  }

  /** The tokens that the session's state was left with, as plain replies would have read them. */
  get plainIds(): number[] {
    return this.#decoder?.state.plainIds ?? [];
  }

  get report(): DecodingReport {
    return { ...this.#decoder?.facts, strategy: this.#name };
  }

  get #name(): string {
    return String(this.#strategy.name);
  }

  get #needs() {
    return { options: this.#options, needsLogits: this.#strategy.needsLogits ?? false };
  }

  #checked(token: DecodedToken, vocab: number): DecodedToken {
    const { id } = token;
    if (Number.isInteger(id) && id >= 0 && id < vocab) return token;
    throw new AtomoeError(
      'bad-input',
      `the strategy ${show(this.#name)} yielded a token whose id is ${show(id)}; ` +
        `wanted a whole number below ${vocab}; correct it`,
    );
  }

  /** Errors of a strategy from outside are distinguished from errors of our own. */
  #blamed(error: unknown): unknown {
    const { signal } = this.#options;
    const isTheirs = this.#isOwn && !(error instanceof AtomoeError);
    if (!isTheirs || (signal?.aborted && error === signal.reason)) return error;
    return new AtomoeError(
      'bad-input',
      `the strategy ${show(this.#name)} threw ${textOf(error)}; wanted tokens; correct it`,
      { cause: error },
    );
  }
}
