/** Slots that hold expert records, on whatever device they are. */
import type { PoolPlan } from './pools.ts';

/** Slots of one size, and a table that says which unit is in which slot. */
export interface SlotStore {
  readonly layers: number;
  readonly unitsPerLayer: number; // of the layer that has most
  readonly recordBytes: number;
  readonly plan: PoolPlan;
  readonly records: number; // units of all layers
  units(layer: number): number;
  /** Layers of one group share slots. */
  group(layer: number): number;
  /** The slot in which a place of a layer is at first. */
  home(layer: number, place: number): number;
  /** Fills a slot of the layer's group. Work that was submitted before does not see it. */
  write(layer: number, slot: number, record: Uint8Array<ArrayBuffer>): void;
  /** Notes where a unit is from now on, or that it is absent. `flush` makes it visible to work. */
  point(layer: number, unit: number, slot: number | undefined): void;
  /** The slot that a unit is in. */
  slotOf(layer: number, unit: number): number | undefined;
  flush(layer: number): void;
  /** Points every unit to some slot, whatever it holds: for timing kernels. */
  markAllPresent(): void;
  /** Every unit is absent again. */
  clear(): void;
  dispose(): void;
}

/** A record that is copied from a slot to one of another store. */
export interface Move<S extends SlotStore> {
  readonly layer: number;
  readonly from: S;
  readonly slot: number;
  readonly to: S;
  readonly toSlot: number;
}
