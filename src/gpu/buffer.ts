import type { Gpu } from './device.ts';

/** The category of a buffer in the memory report. */
export type MemoryKind = 'weights' | 'experts' | 'kv-cache' | 'activations' | 'staging';

/** The usage of a buffer. */
export type BufferUse = 'storage' | 'uniform' | 'indirect' | 'readback';

/** Size and purpose of a buffer. */
export interface BufferOptions {
  readonly label: string;
  readonly sizeBytes: number;
  readonly kind: MemoryKind;
  readonly use?: BufferUse; // default: storage that can be copied to and from
}

/** Rounds up to a multiple. Uses division, not bit operations, because sizes may exceed 2^31. */
export function alignUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** A GPU buffer. Its bytes count against the budget until it is disposed. */
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

  /** Destroys the buffer. Further calls have no effect. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.handle.destroy();
    this.#gpu.forget(this);
  }
}

/** A bound range of a buffer. Offsets are multiples of 256 bytes (the guaranteed storage alignment). */
export interface BufferSlice {
  readonly buffer: Buffer;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** Creates a slice of a buffer; by default, all of it. */
export function slice(
  buffer: Buffer,
  offsetBytes = 0,
  sizeBytes = buffer.sizeBytes - offsetBytes,
): BufferSlice {
  return { buffer, offsetBytes, sizeBytes };
}
