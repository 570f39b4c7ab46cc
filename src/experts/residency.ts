/** Which units are in GPU memory, in which slots, and since when. */
import type { SlotStore } from './slot-store.ts';

/** The serial of what is absent: later than any. */
const NEVER = Infinity;

/**
 * Changes of what is where are numbered (`serial`): a submission notes the number, and knows later what it could see.
 * Slots belong to places of a layer; a unit may also be in one that belongs to none.
 */
export class Residency<S extends SlotStore = SlotStore> {
  readonly store: S;
  readonly #slotAt: readonly Int32Array[]; // [layer][place]
  readonly #validSince: Float64Array; // [layers * units]: the serial from which on the table points to the record
  readonly #records: number; // units of all layers
  #serial = 0;
  #present = 0; // units that the table points to

  constructor(store: S) {
    const { layers, unitsPerLayer, plan, records } = store;
    this.store = store;
    this.#records = records;
    this.#slotAt = Array.from({ length: layers }, (_layer, layer) =>
      Int32Array.from({ length: plan.places }, (_, place) => store.home(layer, place)),
    );
    this.#validSince = new Float64Array(layers * unitsPerLayer).fill(NEVER);
  }

  get serial(): number {
    return this.#serial;
  }

  /** Whether no unit is absent. */
  get isComplete(): boolean {
    return this.#present === this.#records;
  }

  /** Whether work that is submitted now finds the unit. */
  has(layer: number, unit: number): boolean {
    return this.#since(layer, unit) !== NEVER;
  }

  /** Whether work submitted at `serial` found the unit. */
  had(layer: number, unit: number, serial: number): boolean {
    return this.#since(layer, unit) <= serial;
  }

  /** The slot in which a unit can be read now. */
  slotOf(layer: number, unit: number): number | undefined {
    return this.has(layer, unit) ? this.store.slotOf(layer, unit) : undefined;
  }

  /** The slot of a place. */
  slotAt(layer: number, place: number): number {
    return this.#slotAt[layer]?.[place] ?? 0;
  }

  /** Gives a place another slot. */
  setSlot(layer: number, place: number, slot: number): void {
    const slots = this.#slotAt[layer];
    if (slots) slots[place] = slot;
  }

  /** Writes a unit's record into a slot; it is found there by what is submitted after the store's `flush`. */
  upload(layer: number, unit: number, slot: number, record: Uint8Array<ArrayBuffer>): void {
    this.store.write(layer, slot, record);
    this.point(layer, unit, slot);
  }

  /** Notes that a unit is in a slot, whose bytes are there by other ways. */
  point(layer: number, unit: number, slot: number): void {
    const at = this.#at(layer, unit);
    if (this.#validSince[at] === NEVER) this.#present += 1;
    this.#serial += 1;
    this.#validSince[at] = this.#serial;
    this.store.point(layer, unit, slot);
  }

  /** Notes that a unit is absent. */
  forget(layer: number, unit: number): void {
    const at = this.#at(layer, unit);
    if (this.#validSince[at] !== NEVER) this.#present -= 1;
    this.#validSince[at] = NEVER;
    this.store.point(layer, unit, undefined);
  }

  #since(layer: number, unit: number): number {
    return this.#validSince[this.#at(layer, unit)] ?? NEVER;
  }

  #at(layer: number, unit: number): number {
    return layer * this.store.unitsPerLayer + unit;
  }
}
