import type { RecordLayout } from '../weights/record.ts';
import type { Ref } from './tensor.ts';

export { ABSENT_SLOT, slotNumber } from '../kernels/experts/expert-pool.ts';

/**
 * The routed experts as kernels see them: records in slots of a few buffers, found through a table. A unit is an
 * expert, or a page of atomic experts.
 */
export interface ExpertWeights {
  readonly unitsPerLayer: number; // of the layer that has most
  readonly table: Ref; // u32 [banks * unitsPerLayer]: slot numbers
  units(bank: number): number;
  /** The layout of a layer's records in their slots. Their sizes are equal: a slot takes a record of any layer. */
  layout(bank: number): RecordLayout;
  /** The one or four buffers that a layer's kernels bind. */
  pools(bank: number): readonly Ref[];
}

/** The same on the CPU: a record's matrices as f32. */
export interface CpuExpertWeights {
  units(bank: number): number;
  unit(bank: number, unit: number): Readonly<Record<string, Float32Array>>;
}
