/** Plans with the logits of every position, on a GPU. */
import { DEFAULT_LIMITS } from '../../gpu/device.ts';
import type { ModelGraph } from '../../graph/node.ts';
import { Plan } from '../../graph/plan.ts';
import { logitsGraph } from '../load/hooked-graphs.ts';
import type { Loaded } from './gpu-state.ts';
import { DRAFT_TOKENS } from './runner.ts';

/** Those of one model, each made when it is first needed: for drafts or prompts, with hooks or without. */
export class LogitsPlans {
  readonly #loaded: Loaded;
  readonly #plans = new Map<string, Promise<Plan<ModelGraph>>>();

  constructor(loaded: Loaded) {
    this.#loaded = loaded;
  }

  /** The plan for steps of so many tokens, or for some of them at a time. @throws {AtomoeError} out-of-memory; shader */
  plan(tokens: number, hasHooks: boolean): Promise<Plan<ModelGraph>> {
    const { spec, chunkTokens } = this.#loaded.drafted;
    const most = tokens <= DRAFT_TOKENS ? DRAFT_TOKENS : chunkTokens;
    const maxTokens = Math.min(most, mostLogitRows(spec.vocab));
    const key = `${maxTokens}${hasHooks ? ' with hooks' : ''}`;
    const known = this.#plans.get(key);
    if (known) return known;
    const opening = this.#open(maxTokens, hasHooks);
    opening.catch(() => this.#plans.delete(key)); // the next call tries again
    this.#plans.set(key, opening);
    return opening;
  }

  dispose(): void {
    for (const opening of this.#plans.values()) {
      void opening.then((plan) => plan.dispose()).catch(() => {}); // the caller that asked for it got the error
    }
  }

  async #open(maxTokens: number, hasHooks: boolean): Promise<Plan<ModelGraph>> {
    const { gpu, drafted, forPrompts, scalar, tuning, refusals, bounds } = this.#loaded;
    const { contextTokens } = drafted;
    const graph = await logitsGraph(drafted, hasHooks);
    const options = { label: 'all logits', maxTokens, contextTokens, scalar, tuning, refusals, ...bounds };
    const open = () => Plan.open(gpu, graph, forPrompts, options);
    return maxTokens <= DRAFT_TOKENS ? gpu.withoutBudget(open) : open(); // slots of experts may fill the budget
  }
}

/** How many tokens' logits fit one portable binding: chunks may not depend on the device. */
function mostLogitRows(vocab: number): number {
  return Math.max(1, Math.floor(DEFAULT_LIMITS.maxBindingBytes / 4 / vocab));
}
