/** The plans that run the requests with hooks of a model on a GPU. */
import type { Gpu } from '../../gpu/device.ts';
import type { ModelGraph } from '../../graph/node.ts';
import { Plan } from '../../graph/plan.ts';
import { hookedGraphs } from '../load/hooked-graphs.ts';
import type { Loaded, Plans } from './gpu-state.ts';
import { requestInputs, tokenInputs, type InputPart, type StepHooks } from './hooks.ts';

/** Plans with hooks, and what was last written to their inputs. */
export class HookedPlans implements Plans {
  readonly decode: Plan<ModelGraph>;
  readonly prefill: Plan<ModelGraph>;
  readonly #gpu: Gpu;
  readonly #written = new Map<Plan<ModelGraph>, StepHooks>();

  constructor(gpu: Gpu, { decode, prefill }: Plans) {
    this.#gpu = gpu;
    this.decode = decode;
    this.prefill = prefill;
  }

  /** Writes the inputs of a step; those of the request only if they are not there. */
  write(
    plan: Plan<ModelGraph>,
    hooks: StepHooks,
    step: { readonly past: number; readonly tokens: number },
  ): void {
    if (this.#written.get(plan) !== hooks) this.#put(plan, requestInputs(plan.graph, hooks));
    this.#written.set(plan, hooks);
    this.#put(plan, tokenInputs(plan.graph, hooks, step));
  }

  dispose(): void {
    this.decode.dispose();
    this.prefill.dispose();
  }

  #put(plan: Plan<ModelGraph>, parts: readonly InputPart[]): void {
    for (const { tensor, first, values } of parts) {
      this.#gpu.write(plan.buffer(tensor), 4 * first, values);
    }
  }
}

/**
 * Compiles what the plans have beside the pipelines of the plain ones, and allocates their activations. These are beside
 * the memory budget, which slots of experts may fill.
 *
 * @throws {AtomoeError} out-of-memory; shader
 */
export async function openHookedPlans(loaded: Loaded): Promise<HookedPlans> {
  const { gpu, drafted, scalar, bounds, tuning, refusals, forTokens, forPrompts } = loaded;
  const { contextTokens, chunkTokens } = drafted;
  const graphs = await hookedGraphs(drafted);
  const common = { contextTokens, scalar, tuning, refusals, ...bounds };
  const tokens = { ...common, label: 'decode with hooks', maxTokens: 1, keepCuts: true };
  const prompts = { ...common, label: 'prefill with hooks', maxTokens: chunkTokens };
  return gpu.withoutBudget(async () => {
    const decode = await Plan.open(gpu, graphs.decode, forTokens, tokens);
    try {
      const prefill = await Plan.open(gpu, graphs.prefill, forPrompts, prompts);
      return new HookedPlans(gpu, { decode, prefill });
    } catch (error) {
      decode.dispose();
      throw error;
    }
  });
}
