import { timeCommands } from '../../gpu/timing.ts';
import type { Counters } from '../../gpu/device.ts';
import type { Refusals } from '../../graph/candidates.ts';
import type { Choice } from '../../graph/plan.ts';
import { gpuState, stepOf, writeIds, type Loaded } from './gpu-state.ts';
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

  async profile(state: RunnerState, request: StepRequest): Promise<DispatchTime[]> {
    const { gpu } = this.#loaded;
    const own = gpuState(state);
    const { decode, prefill } = own;
    const instance = request.ids.length === 1 ? decode : prefill;
    const { lowered } = instance.plan;
    writeIds(gpu, instance.plan, request.ids);
    const step = stepOf(request, own);
    const commands = instance.commands(step);
    const needed = lowered.dispatches.flatMap(({ isNeeded }, index) =>
      (isNeeded?.(step) ?? true) ? [index] : [],
    );
    const times = await timeCommands(gpu, commands);
    return times.map((ms, at) => {
      const index = needed[at] ?? 0;
      return { label: lowered.labels[index] ?? '', key: lowered.dispatches[index]?.program.key ?? '', ms };
    });
  }
}
