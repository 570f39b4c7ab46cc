/** Expert records in WebAssembly memories: slots behind a table, as on the GPU. */
import { AtomoeError, invariant } from '../errors.ts';
import { groupOf, homeSlot, type PoolPlan, type RecordShape, type SlotCounts } from '../experts/pools.ts';
import type { Move, SlotStore } from '../experts/slot-store.ts';
import type { RecordLayout } from '../weights/record.ts';
import type { Address } from './kernels.ts';
import { MOST_MEMORY_BYTES, SimdMemory, type SimdModule } from './memory.ts';
import type { SimdExperts } from './run.ts';

/** Layers share a memory up to this many bytes: a resize gives memories back one by one. */
const WANTED_MEMORY_BYTES = 2 ** 30;

/** Records begin on cache lines. */
const ALIGNMENT = 64;

/** How many slots a store has, and what they are for. */
export interface SimdStoreOptions {
  readonly slots?: SlotCounts; // default: one for each unit
  /** All layers share the slots of one: for what holds one layer at a time. */
  readonly isShared?: boolean;
  /** Bytes up to which layers share a memory; default 1 GiB. */
  readonly memoryBytes?: number | undefined;
  /** Called once, when the memories are given up. */
  readonly onDispose?: () => void;
}

/**
 * Divides the slots into memories: each layer's are in one.
 *
 * @throws {AtomoeError} limit-too-small - a layer's slots are more than one memory holds
 */
export function planMemories(
  shape: RecordShape,
  { places, reserved }: SlotCounts,
  layers: number,
  wantedBytes = WANTED_MEMORY_BYTES,
): PoolPlan {
  const { recordBytes } = shape;
  const ofLayer = (places + reserved) * recordBytes;
  if (ofLayer > MOST_MEMORY_BYTES) {
    throw new AtomoeError(
      'limit-too-small',
      `${places + reserved} experts of a layer take ${ofLayer} bytes, a WebAssembly memory holds ${MOST_MEMORY_BYTES}; ` +
        'quantize, or choose a smaller memoryBudget',
    );
  }
  const most = Math.floor((wantedBytes - reserved * recordBytes) / (places * recordBytes));
  const layersPerGroup = Math.max(1, Math.min(layers, most));
  const poolSlots = Array.from(
    { length: Math.ceil(layers / layersPerGroup) },
    (_, group) => Math.min(layersPerGroup, layers - group * layersPerGroup) * places + reserved,
  );
  const slotsPerPool = layersPerGroup * places + reserved;
  return { places, reserved, poolSlots, poolsPerLayer: 1, layersPerGroup, slotsPerPool };
}

interface Pool {
  readonly memory: SimdMemory;
  readonly slots: Address;
}

/** Slots in WebAssembly memories, all slots of a layer in one memory. */
export class SimdStore implements SlotStore {
  readonly plan: PoolPlan;
  readonly recordBytes: number;
  readonly layers: number;
  readonly unitsPerLayer: number;
  readonly #shape: RecordShape;
  readonly #isShared: boolean;
  readonly #onDispose: () => void;
  readonly #pools: Pool[];
  readonly #tables: readonly Address[]; // [layer], in the layer's memory
  readonly #slots: Int32Array; // [layers * unitsPerLayer]: the slot of each unit, or ABSENT

  /**
   * Allocates the slots; they are empty.
   *
   * @throws {AtomoeError} out-of-memory; limit-too-small
   */
  constructor(
    module: SimdModule,
    shape: RecordShape,
    { slots, isShared = false, memoryBytes, onDispose = () => {} }: SimdStoreOptions = {},
  ) {
    const { layers, unitsPerLayer, recordBytes } = shape;
    const counts = slots ?? { places: unitsPerLayer, reserved: 0 };
    this.plan = planMemories(shape, counts, isShared ? 1 : layers, memoryBytes);
    this.recordBytes = recordBytes;
    this.layers = layers;
    this.unitsPerLayer = unitsPerLayer;
    this.#shape = shape;
    this.#isShared = isShared;
    this.#onDispose = onDispose;
    const slotBytes = this.#slotBytes;
    this.#pools = this.plan.poolSlots.map((count) => {
      const memory = new SimdMemory(module);
      return { memory, slots: memory.alloc(count * slotBytes) };
    });
    this.#tables = Array.from({ length: layers }, (_, layer) => this.memory(layer).alloc(4 * unitsPerLayer));
    this.#slots = new Int32Array(layers * unitsPerLayer).fill(ABSENT);
    this.clear();
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

  /** The memory that holds a layer's records. */
  memory(layer: number): SimdMemory {
    return this.#pool(layer).memory;
  }

  /** u32 [units] in the layer's memory: where each unit's record is; 0 where it is absent. */
  table(layer: number): Address {
    return this.#tables[layer] ?? 0;
  }

  /** What the system has given the memories. */
  get sizeBytes(): number {
    return this.#pools.reduce((sum, { memory }) => sum + memory.sizeBytes, 0);
  }

  /** Layers of one group share slots. */
  group(layer: number): number {
    return this.#isShared ? 0 : groupOf(this.plan, layer);
  }

  /** The slot in which a place of a layer is at first. */
  home(layer: number, place: number): number {
    return homeSlot(this.plan, this.#isShared ? 0 : layer, place);
  }

  /** Fills a slot of the layer's group. */
  write(layer: number, slot: number, record: Uint8Array<ArrayBuffer>): void {
    invariant(record.byteLength === this.recordBytes, () => `a record of ${record.byteLength} bytes`);
    this.memory(layer).bytes.set(record, this.#at(layer, slot));
  }

  /** Copies a record from a slot to another store's. */
  static copy({ layer, from, slot, to, toSlot }: Move<SimdStore>): void {
    const at = from.#at(layer, slot);
    to.write(layer, toSlot, from.memory(layer).bytes.subarray(at, at + from.recordBytes));
  }

  /** Notes where a unit is from now on, or that it is absent. */
  point(layer: number, unit: number, slot: number | undefined): void {
    this.#slots[layer * this.unitsPerLayer + unit] = slot ?? ABSENT;
    this.memory(layer).words(this.table(layer) + 4 * unit, 1)[0] =
      slot === undefined ? 0 : this.#at(layer, slot);
  }

  /** The slot that a unit is in. */
  slotOf(layer: number, unit: number): number | undefined {
    const slot = this.#slots[layer * this.unitsPerLayer + unit] ?? ABSENT;
    return slot === ABSENT ? undefined : slot;
  }

  /** Writes a unit's record into a place of its own, where there is one for each. */
  put(layer: number, unit: number, record: Uint8Array<ArrayBuffer>): void {
    const slot = this.home(layer, unit);
    this.write(layer, slot, record);
    this.point(layer, unit, slot);
  }

  /** Nothing to do: `point` is visible at once. */
  flush(): void {}

  /** Points every unit to some slot, whatever it holds: for timing kernels. */
  markAllPresent(): void {
    for (let layer = 0; layer < this.layers; layer += 1)
      for (let unit = 0; unit < this.units(layer); unit += 1)
        this.point(layer, unit, this.home(layer, unit % this.plan.places));
  }

  /** Every unit is absent again. */
  clear(): void {
    this.#slots.fill(ABSENT);
    for (let layer = 0; layer < this.layers; layer += 1)
      this.memory(layer).words(this.table(layer), this.unitsPerLayer).fill(0);
  }

  /** Lets go of the memories: the system takes them back as a whole. */
  dispose(): void {
    if (this.#pools.length === 0) return;
    for (const { memory } of this.#pools) memory.dispose();
    this.#pools.length = 0;
    this.#onDispose();
  }

  get #slotBytes(): number {
    return Math.ceil(this.recordBytes / ALIGNMENT) * ALIGNMENT;
  }

  #at(layer: number, slot: number): Address {
    return this.#pool(layer).slots + slot * this.#slotBytes;
  }

  #pool(layer: number): Pool {
    const pool = this.#pools[this.group(layer)];
    invariant(pool, () => `no memory for layer ${layer}`);
    return pool;
  }
}

const ABSENT = -1;

/** The experts of a store in which every unit is present. */
export function residentExperts(store: SimdStore): SimdExperts {
  return {
    units: (bank) => store.units(bank),
    layout: (bank) => store.layout(bank),
    memory: (bank) => store.memory(bank),
    table: (bank) => store.table(bank),
    use: (_bank, _ids, _tokens, wave) => wave(),
  };
}
