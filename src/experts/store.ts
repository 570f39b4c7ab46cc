import { invariant } from '../errors.ts';
import type { Buffer } from '../gpu/buffer.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Copy } from '../gpu/recorder.ts';
import { ABSENT_SLOT, type ExpertWeights } from '../graph/experts.ts';
import type { RecordLayout } from '../weights/record.ts';
import type { Ref } from '../graph/tensor.ts';
import type { Move, SlotStore } from './slot-store.ts';
import {
  groupOf,
  homeSlot,
  locate,
  planPools,
  slotOfEntry,
  type PoolPlan,
  type SlotCounts,
  type RecordShape,
} from './pools.ts';

export { planPools } from './pools.ts';

/** How many slots a store has, and what they are for. */
export interface StoreOptions {
  readonly label?: string;
  readonly slots?: SlotCounts; // default: one for each unit
  /** All layers share the slots of one: for what holds one layer at a time. */
  readonly isShared?: boolean;
  /** Less than the device allows: for tests of layers that take four buffers. */
  readonly maxBindingBytes?: number | undefined;
}

/**
 * Expert records in GPU memory, in slots behind a table. What is where is the caller's business. Writes ride the
 * queue: work submitted later sees them, work submitted before does not.
 */
export class ExpertStore implements ExpertWeights, SlotStore {
  readonly layers: number;
  readonly unitsPerLayer: number;
  readonly recordBytes: number;
  readonly plan: PoolPlan;
  readonly table: Ref;
  readonly #gpu: Gpu;
  readonly #shape: RecordShape;
  readonly #options: StoreOptions;
  readonly #pools: readonly Buffer[];
  readonly #table: Buffer;
  readonly #entries: Uint32Array<ArrayBuffer>; // [layers * unitsPerLayer], mirror of the table

  private constructor(
    gpu: Gpu,
    shape: RecordShape,
    options: StoreOptions,
    made: { readonly plan: PoolPlan; readonly pools: readonly Buffer[]; readonly table: Buffer },
  ) {
    const { layers, unitsPerLayer, recordBytes } = shape;
    this.#gpu = gpu;
    this.#shape = shape;
    this.#options = options;
    this.layers = layers;
    this.unitsPerLayer = unitsPerLayer;
    this.recordBytes = recordBytes;
    this.plan = made.plan;
    this.#pools = made.pools;
    this.#table = made.table;
    this.table = { kind: 'buffer', buffer: made.table };
    this.#entries = new Uint32Array(layers * unitsPerLayer).fill(ABSENT_SLOT);
    gpu.write(made.table, 0, this.#entries);
  }

  /**
   * Allocates the slots; they are empty.
   *
   * @throws {AtomoeError} out-of-memory; limit-too-small
   */
  static async open(gpu: Gpu, shape: RecordShape, options: StoreOptions = {}): Promise<ExpertStore> {
    const { label = 'expert', isShared = false, slots, maxBindingBytes: most = Infinity } = options;
    const maxBindingBytes = Math.min(most, gpu.limits.maxBindingBytes, gpu.limits.maxBufferSizeBytes);
    const plan = planPools(isShared ? { ...shape, layers: 1 } : shape, maxBindingBytes, slots);
    const made = await gpu.allocating('the experts', () => ({
      plan,
      pools: plan.poolSlots.map((count, index) =>
        gpu.createBuffer({
          label: `${label} pool ${index}`,
          sizeBytes: count * shape.recordBytes,
          kind: 'experts',
        }),
      ),
      table: gpu.createBuffer({
        label: `${label} table`,
        sizeBytes: 4 * shape.layers * shape.unitsPerLayer,
        kind: 'experts',
      }),
    }));
    return new ExpertStore(gpu, shape, options, made);
  }

  pools(layer: number): readonly Ref[] {
    const { poolsPerLayer } = this.plan;
    const first = this.group(layer) * poolsPerLayer;
    return this.#pools.slice(first, first + poolsPerLayer).map((buffer) => ({ kind: 'buffer', buffer }));
  }

  units(layer: number): number {
    return this.#shape.units(layer);
  }

  layout(layer: number): RecordLayout {
    return this.#shape.layout(layer);
  }

  /** Units of all layers. */
  get records(): number {
    let records = 0;
    for (let layer = 0; layer < this.layers; layer += 1) records += this.units(layer);
    return records;
  }

  /** Layers of one group share slots. */
  group(layer: number): number {
    return this.#options.isShared ? 0 : groupOf(this.plan, layer);
  }

  /** The slot in which a place of a layer is at first. */
  home(layer: number, place: number): number {
    return homeSlot(this.plan, this.#options.isShared ? 0 : layer, place);
  }

  /** Fills a slot of the layer's group. */
  write(layer: number, slot: number, record: Uint8Array<ArrayBuffer>): void {
    invariant(record.byteLength === this.recordBytes, () => `a record of ${record.byteLength} bytes`);
    const { buffer, offsetBytes } = this.#at(layer, slot);
    this.#gpu.write(buffer, offsetBytes, record);
  }

  /** A copy of a record from a slot to another store's, or to another slot in another buffer. */
  static copy({ layer, from, slot, to, toSlot }: Move<ExpertStore>): Copy {
    const source = from.#at(layer, slot);
    const target = to.#at(layer, toSlot);
    return {
      from: source.buffer,
      fromOffsetBytes: source.offsetBytes,
      to: target.buffer,
      toOffsetBytes: target.offsetBytes,
      sizeBytes: from.recordBytes,
    };
  }

  /** Notes where a unit is from now on, or that it is absent. `flush` writes it to the GPU. */
  point(layer: number, unit: number, slot: number | undefined): void {
    const entry = slot === undefined ? ABSENT_SLOT : locate(this.plan, this.group(layer), slot).entry;
    this.#entries[layer * this.unitsPerLayer + unit] = entry;
  }

  /** The slot that the table names. */
  slotOf(layer: number, unit: number): number | undefined {
    const entry = this.#entries[layer * this.unitsPerLayer + unit] ?? ABSENT_SLOT;
    return entry === ABSENT_SLOT ? undefined : slotOfEntry(this.plan, entry);
  }

  /** Sends a layer's part of the table. */
  flush(layer: number): void {
    const first = layer * this.unitsPerLayer;
    this.#gpu.write(this.#table, 4 * first, this.#entries.subarray(first, first + this.unitsPerLayer));
  }

  /** Writes a unit's record into a place of its own, where there is one for each. `commit` makes it visible. */
  put(layer: number, unit: number, record: Uint8Array<ArrayBuffer>): void {
    const slot = this.home(layer, unit);
    this.write(layer, slot, record);
    this.point(layer, unit, slot);
  }

  /** Points every unit to some slot, whatever it holds: for timing kernels. */
  markAllPresent(): void {
    const { places } = this.plan;
    for (let layer = 0; layer < this.layers; layer += 1) {
      for (let unit = 0; unit < this.unitsPerLayer; unit += 1)
        this.point(layer, unit, this.home(layer, unit % places));
    }
    this.commit();
  }

  /** Every unit is absent again. */
  clear(): void {
    this.#entries.fill(ABSENT_SLOT);
    this.commit();
  }

  /** Sends the whole table. */
  commit(): void {
    this.#gpu.write(this.#table, 0, this.#entries);
  }

  dispose(): void {
    for (const pool of this.#pools) pool.dispose();
    this.#table.dispose();
  }

  #at(layer: number, slot: number): { buffer: Buffer; offsetBytes: number } {
    const { pool, index } = locate(this.plan, this.group(layer), slot);
    const buffer = this.#pools[pool];
    invariant(buffer, () => `no pool ${pool} for layer ${layer}`);
    return { buffer, offsetBytes: index * this.recordBytes };
  }
}
