import type { Gpu } from './device.ts';

/** What a buffer's bytes are counted as in the memory report. */
export type MemoryKind = 'weights' | 'experts' | 'kv-cache' | 'activations' | 'staging';

/** What a buffer may be bound or copied as. */
export type BufferUse = 'storage' | 'uniform' | 'indirect' | 'readback';

/** Size and purpose of a buffer. */
export interface BufferOptions {
  readonly label: string;
  readonly sizeBytes: number;
  readonly kind: MemoryKind;
  readonly use?: BufferUse; // default: storage that can be copied from and to
}

/** Rounds up. Division, not bit tricks: sizes pass 2^31. */
export function alignUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** A GPU buffer whose bytes are counted until it is disposed. */
export class Buffer {
  readonly label: string;
  readonly sizeBytes: number; // a multiple of 4, at least 4
  readonly kind: MemoryKind;
  readonly handle: GPUBuffer;
  readonly #gpu: Gpu;
  #isDisposed = false;

  constructor(gpu: Gpu, handle: GPUBuffer, { label, sizeBytes, kind }: BufferOptions) {
    this.#gpu = gpu;
    this.handle = handle;
    this.label = label;
    this.sizeBytes = sizeBytes;
    this.kind = kind;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.handle.destroy();
    this.#gpu.forget(this);
  }
}

/** Part of a buffer, as bound. Offsets are multiples of 256 (the portable storage alignment). */
export interface BufferSlice {
  readonly buffer: Buffer;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** A range of a buffer, to be bound. */
export function slice(
  buffer: Buffer,
  offsetBytes = 0,
  sizeBytes = buffer.sizeBytes - offsetBytes,
): BufferSlice {
  return { buffer, offsetBytes, sizeBytes };
}
