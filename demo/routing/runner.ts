/** Runs texts under rules: one engine, one model, loaded again when a rule needs it; what was run once is kept. */
import type { Engine, LoadProgress, TokenRoutes } from '../../src/engine/api.ts';
import type { ReadTokens } from '../../src/engine/prompt-tokens.ts';
import { openEngine, QUERY } from '../engine.ts';
import { embeddedUrl } from '../sources.ts';
import type { Run, RunToken } from './compare.ts';
import { MODEL, type RuleOptions } from './rules.ts';

/** What is run. */
export interface Task {
  readonly text: string;
  readonly length: number; // tokens to write
  readonly temperature: number;
  readonly seed: number;
  readonly options: RuleOptions;
}

/** What a caller hears meanwhile. */
export interface Listener {
  readonly signal: AbortSignal;
  readonly onLoad: (progress: LoadProgress) => void;
  readonly onToken: (written: number) => void;
}

const MOST_KEPT = 32;

export class Runner {
  #engine: Engine | undefined;
  #loaded: string | undefined; // the routing of the model in memory
  #readTokens: Promise<ReadTokens> | undefined; // the engine's own are in its worker
  readonly #kept = new Map<string, Run>();

  async run(task: Task, listener: Listener): Promise<Run> {
    const key = JSON.stringify(task);
    const kept = this.#kept.get(key);
    if (kept) return kept;
    const engine = await this.#load(task.options, listener);
    const run = await this.#write(engine, task, listener);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(key, run);
    return run;
  }

  /** After a failure: the next run opens an engine of its own. */
  release(): void {
    this.#engine?.dispose();
    this.#engine = undefined;
    this.#loaded = undefined;
    this.#readTokens = undefined;
  }

  async #load({ routing }: RuleOptions, { signal, onLoad }: Listener): Promise<Engine> {
    this.#engine ??= await openEngine(QUERY.device);
    signal.throwIfAborted();
    const wanted = JSON.stringify(routing ?? null);
    if (this.#loaded === wanted) return this.#engine;
    this.#loaded = undefined;
    const options = { signal, onProgress: onLoad, ...(routing && { routing }) };
    await this.#engine.load(embeddedUrl(MODEL.id, document.baseURI), options);
    this.#loaded = wanted;
    return this.#engine;
  }

  async #write(engine: Engine, task: Task, { signal, onToken }: Listener): Promise<Run> {
    const { text, length: maxTokens, temperature, seed, options } = task;
    this.#readTokens ??= openTokens();
    const readTokens = await this.#readTokens;
    const tokens: RunToken[] = readTokens(text).map((token) => ({ text: token, isPrompt: true }));
    let routes: readonly TokenRoutes[] = [];
    const session = engine.session();
    try {
      const hooks = options.hooks && { hooks: options.hooks };
      const asked = { maxTokens, temperature, seed, trace: true, signal, ...hooks };
      for await (const event of session.generate(text, asked)) {
        if (event.kind === 'token') tokens.push({ text: event.text, isPrompt: false });
        if (event.kind === 'token') onToken(tokens.length);
        if (event.kind === 'done') routes = event.trace?.tokens ?? [];
      }
    } finally {
      session.dispose();
    }
    signal.throwIfAborted(); // a stopped reply ends without an error
    return { tokens, routes };
  }
}

async function openTokens(): Promise<ReadTokens> {
  const { openPromptTokens } = await import('../../src/engine/prompt-tokens.ts');
  return openPromptTokens(embeddedUrl(MODEL.id, document.baseURI));
}
