import { gpuState, type Loaded } from './gpu-state.ts';
import type { RunnerState, StateBytes, StateCopies } from './runner.ts';
import { statePartsOf } from './saved-state.ts';

/** Reads and writes the states of sessions on a GPU. */
export class GpuStateCopies implements StateCopies {
  readonly #loaded: Loaded;

  constructor(loaded: Loaded) {
    this.#loaded = loaded;
  }

  parts(tokens: number) {
    const { drafted, scalar } = this.#loaded;
    return { parts: statePartsOf(drafted.decode, tokens, scalar), scalar };
  }

  async read(state: RunnerState, tokens: number): Promise<StateBytes> {
    const { current } = gpuState(state);
    const bytes = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const { name, sizeBytes } of this.parts(tokens).parts) {
      const buffer = current.get(name);
      if (buffer) bytes.set(name, new Uint8Array(await this.#loaded.gpu.read(buffer, 0, sizeBytes)));
    }
    return bytes;
  }

  write(state: RunnerState, tokens: number, bytes: StateBytes): void {
    const { current, progress } = gpuState(state);
    for (const [name, given] of bytes) {
      const buffer = current.get(name);
      if (buffer) this.#loaded.gpu.write(buffer, 0, given);
    }
    progress.reach(tokens);
  }
}
