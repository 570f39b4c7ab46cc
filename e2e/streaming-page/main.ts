/** A page that loads the library and does with it what a test says: see `streaming-lab.ts`. */
import type { Engine, LoadOptions, Session, StreamingReport } from '../../src/engine/api.ts';
import { createEngine } from '../../src/engine/index.ts';
import { AtomoeError } from '../../src/errors.ts';
import { coalescedFolder } from '../../src/io/coalesce.ts';
import type { HttpOptions } from '../../src/io/http-request.ts';
import { httpFolder } from '../../src/io/http.ts';
import { createWorkerEngine } from '../../src/worker/index.ts';

export interface LoadRequest {
  readonly url: string;
  /** 'worker' is what pages use; 'page' tells which experts a prompt used, and waits less between tries. */
  readonly where: 'worker' | 'page';
  readonly options: LoadOptions;
}

export interface TellRequest {
  readonly prompt: string;
  readonly maxTokens: number;
  /** Another conversation than the one of before. */
  readonly isNew?: boolean;
  /** Calls `reached` behind so many tokens, and waits for it. */
  readonly pauseAt?: number;
}

/** How something ended: `code` is empty where all went well. */
export interface Outcome {
  readonly code: string;
  readonly message: string;
  readonly ms: number;
}

export interface Told extends Outcome {
  readonly ids: readonly number[];
  readonly text: string;
  readonly reusedTokens: number;
  readonly sessionTokens: number;
}

const MOST_WAIT_MS = 20; // between them

let engine: Engine | undefined;
let session: Session | undefined;
const uses = new Map<number, Set<number>>(); // [layer]: the experts of prompts
const waits: number[] = []; // between tries, as they were meant
/** As pages have it, but for the waits. */
const http: HttpOptions = {
  delay: (ms) => {
    waits.push(ms);
    return new Promise((resolve) => setTimeout(resolve, Math.min(ms, MOST_WAIT_MS)));
  },
};

async function outcomeOf(work: () => Promise<void>): Promise<Outcome> {
  const startedMs = performance.now();
  const end = (code: string, message: string) => ({ code, message, ms: performance.now() - startedMs });
  try {
    await work();
    return end('', '');
  } catch (error) {
    if (error instanceof AtomoeError) return end(error.code, error.message);
    return end('untyped', String(error));
  }
}

export const lab = {
  async load({ url, where, options }: LoadRequest): Promise<Outcome> {
    return outcomeOf(async () => {
      if (where === 'worker') engine ??= await createWorkerEngine({ tuning: 'off' });
      else {
        engine ??= await createEngine({
          tuning: 'off',
          streamTesting: {
            observer: {
              prompt: (layer, counts) => {
                const used = uses.get(layer) ?? new Set();
                uses.set(layer, used);
                for (const [unit, count] of counts.entries()) if (count > 0) used.add(unit);
              },
              token: () => {},
            },
          },
        });
      }
      session = undefined;
      await engine.load(where === 'worker' ? url : coalescedFolder(httpFolder(url, http)), options);
    });
  },

  async tell({ prompt, maxTokens, isNew = false, pauseAt }: TellRequest): Promise<Told> {
    const ids: number[] = [];
    let text = '';
    let reusedTokens = 0;
    const outcome = await outcomeOf(async () => {
      if (isNew) session?.dispose();
      if (isNew || !session) session = engine?.session();
      for await (const event of session?.generate(prompt, { temperature: 0, maxTokens }) ?? []) {
        if (event.kind === 'done') reusedTokens = event.usage.reusedTokens;
        if (event.kind !== 'token') continue;
        ids.push(event.id);
        text += event.text;
        if (ids.length === pauseAt) await reached();
      }
    });
    return { ...outcome, ids, text, reusedTokens, sessionTokens: session?.tokens ?? 0 };
  },

  adapter: () => engine?.adapter,

  resize: (slotsPerLayer: number): Promise<Outcome> =>
    outcomeOf(async () => void (await engine?.resize({ streaming: { slotsPerLayer } }))),

  async report(): Promise<Omit<StreamingReport, 'states' | 'recall'> | undefined> {
    const report = await engine?.streaming();
    if (!report) return undefined;
    const { states: _states, recall: _recall, ...rest } = report;
    return rest;
  },

  /** Experts that prompts used, summed over the layers. */
  expertsOfPrompts: () => [...uses.values()].reduce((sum, used) => sum + used.size, 0),
  takeWaits: () => waits.splice(0),
  /** How often a request is made, and after how long without a byte it is given up. */
  setPatience: (attempts: number, stallTimeoutMs: number) =>
    void Object.assign(http, { attempts, stallTimeoutMs }),
  dispose(): void {
    engine?.dispose();
    engine = undefined;
    session = undefined;
  },
};

const { reached } = globalThis as unknown as { reached: () => Promise<void> };
Object.assign(globalThis, { lab });
