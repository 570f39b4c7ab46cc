/** Experts in GPU memory: what streaming needs of the device, and what kernels bind. */
import { invariant } from '../../errors.ts';
import type { RecordShape } from '../../experts/pools.ts';
import type { Move } from '../../experts/slot-store.ts';
import { ExpertStore, type StoreOptions } from '../../experts/store.ts';
import type { ExpertStreamer } from '../../experts/streamer.ts';
import type { Buffer } from '../../gpu/buffer.ts';
import type { Gpu } from '../../gpu/device.ts';
import { submit } from '../../gpu/recorder.ts';
import type { ExpertWeights } from '../../graph/experts.ts';
import type { Ref } from '../../graph/tensor.ts';
import type { RecordLayout } from '../../weights/record.ts';
import type { Drafted } from '../load/planning.ts';
import { MOST_HOST_BYTES, type ExpertDevice, type ExpertMemory, type StepsOptions } from './expert-memory.ts';
import type { StreamedSteps } from './streamed-steps.ts';

/** Expert memory whose slots are GPU buffers. */
export type GpuExpertMemory = ExpertMemory<ExpertStore, StreamedSteps>;

/** Holds experts in GPU buffers. */
export class GpuExperts implements ExpertDevice<ExpertStore, StreamedSteps> {
  readonly #gpu: Gpu;
  readonly #drafted: Drafted;

  constructor(gpu: Gpu, drafted: Drafted) {
    this.#gpu = gpu;
    this.#drafted = drafted;
  }

  get budgetBytes(): number {
    return this.#gpu.budgetBytes;
  }

  set budgetBytes(sizeBytes: number) {
    this.#gpu.budgetBytes = sizeBytes;
  }

  /** The budget is of GPU memory: what the page holds is beside it. */
  hostBytes(): number {
    return MOST_HOST_BYTES;
  }

  openStore(shape: RecordShape, options: StoreOptions): Promise<ExpertStore> {
    return ExpertStore.open(this.#gpu, shape, options);
  }

  copy(moves: readonly Move<ExpertStore>[]): void {
    submit(this.#gpu, [], moves.map(ExpertStore.copy));
  }

  async openSteps(streamer: ExpertStreamer<ExpertStore>, options: StepsOptions): Promise<StreamedSteps> {
    const { StreamedSteps } = await import('./streamed-steps.ts');
    const { decode, chunkTokens } = this.#drafted;
    return new StreamedSteps({ ...options, gpu: this.#gpu, streamer, routes: decode.routes, chunkTokens });
  }
}

/** What kernels bind: the store that is in use when they are bound. */
export function boundExperts(memory: GpuExpertMemory): {
  readonly forTokens: ExpertWeights;
  readonly forPrompts: ExpertWeights;
} {
  return {
    forTokens: new BoundExperts(() => memory.store),
    forPrompts: new BoundExperts(() => memory.forPrompts),
  };
}

/** Experts as kernels bind them, in whichever store is in use when they are bound. */
class BoundExperts implements ExpertWeights {
  readonly unitsPerLayer: number;
  readonly table: Ref;
  readonly #current: () => ExpertStore;

  constructor(current: () => ExpertStore) {
    this.unitsPerLayer = current().unitsPerLayer;
    this.#current = current;
    this.table = lazily(() => current().table);
  }

  units(layer: number): number {
    return this.#current().units(layer);
  }

  layout(layer: number): RecordLayout {
    return this.#current().layout(layer);
  }

  pools(layer: number): readonly Ref[] {
    // How many there are follows from the model and the device, so it is the same for every store.
    return this.#current()
      .pools(layer)
      .map((_, index) => lazily(() => this.#current().pools(layer)[index]));
  }
}

/** A buffer that is looked up when it is bound. */
function lazily(current: () => Ref | undefined): Ref {
  return {
    kind: 'buffer',
    get buffer(): Buffer {
      const ref = current();
      invariant(ref?.kind === 'buffer', () => 'no expert buffer');
      return ref.buffer;
    },
  };
}
