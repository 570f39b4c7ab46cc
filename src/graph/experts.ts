import type { Buffer } from '../gpu/buffer.ts';
import type { WeightFormat } from '../kernels/common.ts';

/** One matrix inside a record. Offsets count from the record's start. */
export interface RecordPart {
  readonly rows: number;
  readonly cols: number;
  readonly offsetBytes: number; // a multiple of 256
  readonly scalesOffsetBytes: number; // where the f16 scales of q8_0 and q4_0 begin; else 0
}

/** How one expert, or one page of atomic experts, lies in its slot. */
export interface RecordLayout {
  readonly format: WeightFormat;
  readonly parts: Readonly<Record<string, RecordPart>>; // `gate`, `up`, `down`; or `in`, `out`
  readonly sizeBytes: number; // a multiple of 256
}

/** A slot that holds nothing. */
export const ABSENT = 0xffffffff;
const POOL_SHIFT = 2 ** 24; // slot number = pool * 2^24 + index

export function slotNumber(pool: number, index: number): number {
  return pool * POOL_SHIFT + index;
}

/**
 * The routed experts as kernels see them: records in slots of a few buffers, found through a table. A unit is an
 * expert, or a page of atomic experts.
 */
export interface ExpertWeights {
  readonly unitsPerLayer: number;
  readonly layout: RecordLayout;
  readonly table: Buffer; // u32 [layers * unitsPerLayer]: slot numbers
  /** The one or four buffers that a layer's kernels bind. */
  pools(layer: number): readonly Buffer[];
}

/** The same on the CPU: a record's matrices as f32. */
export interface CpuExpertWeights {
  readonly unitsPerLayer: number;
  unit(layer: number, unit: number): Readonly<Record<string, Float32Array>>;
}
