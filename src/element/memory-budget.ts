/** How much GPU memory the loaded model may take, changed while it talks: what a slider needs, without the slider. */
import type { Engine, ModelPlan } from '../engine/api.ts';
import { formatBytes } from './format.ts';
import { problemOf, type Problem } from './state.ts';

/** A memory budget in bytes, its bounds, and the plan that belongs to it. */
export interface BudgetState {
  readonly leastBytes: number;
  readonly mostBytes: number; // of GPU memory, with every expert in it
  readonly bytes: number; // what is asked for
  readonly plan: ModelPlan; // what applies
  readonly isChanging: boolean;
  readonly problem: Problem | undefined; // why the last change was refused
}

/** What a memory budget works on. */
export interface MemoryBudgetOptions {
  readonly engine: Pick<Engine, 'resize'>;
  readonly plan: ModelPlan; // of the loaded model
  readonly onChange: (state: BudgetState) => void;
  /** How long a hand must rest on the slider. */
  readonly delayMs?: number;
}

const DELAY_MS = 200;

/** Changes the memory of a loaded model; requests that come quickly are merged. */
export class MemoryBudget {
  readonly #options: MemoryBudgetOptions;
  #state: BudgetState;
  #acceptedBytes: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isChanging = false;
  #isDisposed = false;

  constructor(options: MemoryBudgetOptions) {
    const { plan } = options;
    this.#options = options;
    this.#acceptedBytes = plan.bytes.gpuTotal;
    this.#state = {
      leastBytes: plan.bytes.least,
      mostBytes: mostBytes(plan),
      bytes: plan.bytes.gpuTotal,
      plan,
      isChanging: false,
      problem: undefined,
    };
  }

  get state(): BudgetState {
    return this.#state;
  }

  /** Asks for this much; the engine hears the last word only. */
  ask(bytes: number): void {
    const { leastBytes, mostBytes: most } = this.#state;
    this.#set({ bytes: Math.min(most, Math.max(leastBytes, bytes)), problem: undefined, isChanging: true });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin(), this.#options.delayMs ?? DELAY_MS);
  }

  dispose(): void {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
  }

  /** One change at a time; a newer wish waits for the one before. */
  #begin(): void {
    this.#timer = undefined;
    if (!this.#isChanging) void this.#change();
  }

  async #change(): Promise<void> {
    this.#isChanging = true;
    while (!this.#isDisposed && this.#state.bytes !== this.#acceptedBytes) {
      const { bytes } = this.#state;
      try {
        // Experts that have a place again come by themselves.
        const plan = await this.#options.engine.resize({
          memoryBudget: Math.ceil(bytes),
          streaming: { start: 'now' },
        });
        this.#acceptedBytes = bytes;
        this.#set({ plan });
      } catch (error) {
        if (bytes === this.#state.bytes) this.#set({ bytes: this.#acceptedBytes, problem: problemOf(error) });
      }
      if (this.#timer !== undefined) break; // the hand moves again
    }
    this.#isChanging = false;
    this.#set({ isChanging: this.#timer !== undefined });
  }

  #set(change: Partial<BudgetState>): void {
    if (this.#isDisposed) return;
    this.#state = { ...this.#state, ...change };
    this.#options.onChange(this.#state);
  }
}

/** Whether every expert has a place in GPU memory. */
export function holdsAll({ bytes }: ModelPlan): boolean {
  return bytes.experts >= bytes.allExperts;
}

/** The GPU memory of the model with all its experts. */
function mostBytes(plan: ModelPlan): number {
  const { bytes, layers, experts } = plan;
  if (holdsAll(plan)) return bytes.gpuTotal;
  const tableBytes = 4 * layers * experts; // at most: an entry for each expert
  return bytes.gpuTotal - bytes.experts + bytes.allExperts + tableBytes;
}

/** What a budget means. `unitsPerLayer` are experts, or pages of atomic ones; undefined: not known yet. */
export function describeBudget(plan: ModelPlan, unitsPerLayer: number | undefined): string {
  if (holdsAll(plan)) return 'There is room for all experts.';
  const isPaged = unitsPerLayer !== undefined && unitsPerLayer < plan.experts;
  const of = unitsPerLayer === undefined ? '' : ` of ${unitsPerLayer}`;
  const noun = isPaged ? `pages of ${plan.experts / unitsPerLayer} experts` : 'experts';
  const ratio = plan.cacheRatio.toFixed(1);
  return `${plan.slotsPerLayer}${of} ${noun} per layer have a place, ${ratio} × what a token needs at most.`;
}

/** The same for people who hear the slider. */
export function speakBudget({ bytes, mostBytes: most, plan }: BudgetState): string {
  const size = `${formatBytes(bytes)} of ${formatBytes(most)}`;
  return holdsAll(plan) ? `${size}, room for all experts` : `${size}, ${plan.slotsPerLayer} places per layer`;
}
