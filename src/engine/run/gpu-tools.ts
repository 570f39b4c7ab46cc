import type { Counters } from '../../gpu/device.ts';
import type { Refusals } from '../../graph/candidates.ts';
import type { Choice } from '../../graph/plan.ts';
import { gpuState, stepOf, writeIds, type GpuState, type Loaded } from './gpu-state.ts';
import type { DispatchTime, RunnerState, RunnerTools, StepRequest } from './runner.ts';

/** What a GPU reports about its work. */
export class GpuTools implements RunnerTools {
  readonly #loaded: Loaded;

  constructor(loaded: Loaded) {
    this.#loaded = loaded;
  }

  get counters(): Readonly<Counters> {
    return { ...this.#loaded.gpu.counters };
  }

  get peakBytes(): number {
    return this.#loaded.gpu.peakBytes;
  }

  get dispatches(): { readonly decode: number; readonly prefill: number } {
    const { decode, prefill } = this.#loaded;
    return { decode: decode.memory.dispatches, prefill: prefill.memory.dispatches };
  }

  get choices(): readonly Choice[] {
    const { decode, prefill } = this.#loaded;
    return [...decode.lowered.choices, ...prefill.lowered.choices];
  }

  get refusals(): Refusals {
    return this.#loaded.refusals;
  }

  beyondBudget<T>(run: () => Promise<T>): Promise<T> {
    return this.#loaded.gpu.withoutBudget(run);
  }

  list(state: RunnerState, request: StepRequest): Omit<DispatchTime, 'ms'>[] {
    const own = gpuState(state);
    const { labels, dispatches } = instanceOf(own, request).plan.lowered;
    const step = stepOf(request, own);
    return dispatches.flatMap(({ program, isNeeded }, index) =>
      (isNeeded?.(step) ?? true) ? [{ label: labels[index] ?? '', key: program.key }] : [],
    );
  }

  async profile(state: RunnerState, request: StepRequest): Promise<DispatchTime[]> {
    const { gpu } = this.#loaded;
    const own = gpuState(state);
    const instance = instanceOf(own, request);
    writeIds(gpu, instance.plan, request.ids);
    const { timeCommands } = await import('../../gpu/timing.ts');
    const times = await timeCommands(gpu, instance.commands(stepOf(request, own)));
    const listed = this.list(state, request);
    return times.map((ms, at) => ({ ...(listed[at] ?? { label: '', key: '' }), ms }));
  }
}

function instanceOf({ decode, prefill }: GpuState, { ids }: StepRequest): GpuState['decode'] {
  return ids.length === 1 ? decode : prefill;
}
