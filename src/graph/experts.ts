import type { RecordLayout } from '../weights/record.ts';
import type { Ref } from './tensor.ts';

export { ABSENT_SLOT, slotNumber } from '../kernels/experts/expert-pool.ts';

/**
 * The routed experts as kernels see them: records in slots of a few buffers, addressed through a table. A unit is an expert
 * or a page of atomic experts.
 */
export interface ExpertWeights {
  readonly unitsPerLayer: number; // maximum over layers
  readonly table: Ref; // u32 [banks * unitsPerLayer]: slot numbers
  units(bank: number): number;
  /** The layout of a layer's records. All slots have the same size, so that a slot can hold a record of any layer. */
  layout(bank: number): RecordLayout;
  /** The one or four buffers with a layer's records. */
  pools(bank: number): readonly Ref[];
}

/** The routed experts on the CPU: a record's matrices as f32. */
export interface CpuExpertWeights {
  units(bank: number): number;
  unit(bank: number, unit: number): Readonly<Record<string, Float32Array>>;
}
