import { AtomoeError } from '../errors.ts';
import type { Buffer } from './buffer.ts';
import type { Gpu } from './device.ts';
import type { Copy } from './recorder.ts';

/** A ring of staging buffers, so that reading a token creates no GPU object. */
export class ReadbackRing {
  readonly #gpu: Gpu;
  readonly #free: Buffer[] = [];
  readonly #all: Buffer[] = [];

  constructor(gpu: Gpu, sizeBytes: number, slots = 3) {
    this.#gpu = gpu;
    for (let slot = 0; slot < slots; slot += 1) {
      const label = `readback ${slot}`;
      this.#all.push(gpu.createBuffer({ label, sizeBytes, kind: 'staging', use: 'readback' }));
    }
    this.#free.push(...this.#all);
  }

  /**
   * Reserves a slot. Include `copy` in the submission that produces the data; `read` waits for it and releases the slot.
   *
   * @throws {AtomoeError} busy - all slots are in flight
   */
  acquire(
    from: Buffer,
    fromOffsetBytes: number,
    sizeBytes: number,
  ): { copy: Copy; read: () => Promise<ArrayBuffer> } {
    const to = this.#free.pop();
    if (!to) throw new AtomoeError('busy', 'all readback slots are in flight; await earlier tokens first');
    const copy = { from, fromOffsetBytes, to, toOffsetBytes: 0, sizeBytes };
    const read = async () => {
      try {
        await this.#gpu.map(to, sizeBytes);
        return to.handle.getMappedRange(0, sizeBytes).slice(0);
      } finally {
        if (to.handle.mapState === 'mapped') to.handle.unmap();
        this.#free.push(to);
      }
    };
    return { copy, read };
  }

  /** Destroys the staging buffers. */
  dispose(): void {
    for (const buffer of this.#all) buffer.dispose();
  }
}
