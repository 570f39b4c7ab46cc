import { AtomoeError } from '../errors.ts';
import type { RecordLayout } from '../weights/record.ts';
import { slotNumber } from '../graph/experts.ts';

/** Kernels bind one pool buffer, or four when a layer's experts do not fit one binding. */
const MAX_POOLS = 4;

/**
 * A buffer is moved to and from GPU memory as a whole under some systems (Windows): smaller ones leave room to move.
 * Four buffers take more each where a layer's experts need it.
 */
const WANTED_POOL_BYTES = 2 ** 29;

/** Bindings above 2 GiB are refused or slow on some drivers (gpuweb issue 6338). */
const MAX_POOL_BYTES = 2 ** 31;

/** How many records there are, and their size. */
export interface StoreShape {
  readonly layers: number;
  readonly unitsPerLayer: number; // of the layer that has most
  readonly recordBytes: number; // of every layer: the largest one's
}

/** The records of each layer. Layers may differ in everything but the size of a record, which is padded to the largest. */
export interface RecordShape extends StoreShape {
  units(layer: number): number;
  layout(layer: number): RecordLayout;
}

/** Layers that are all alike. */
export function evenRecords(layers: number, unitsPerLayer: number, layout: RecordLayout): RecordShape {
  return {
    layers,
    unitsPerLayer,
    recordBytes: layout.sizeBytes,
    units: () => unitsPerLayer,
    layout: () => layout,
  };
}

/** How many slots there are: this many places a layer, and some beside them for each group of layers. */
export interface SlotCounts {
  readonly places: number;
  readonly reserved: number;
}

/** Where slots are. A group is the layers that share buffers; its slots are numbered from 0. */
export interface PoolPlan extends SlotCounts {
  readonly poolsPerLayer: 1 | 4;
  readonly layersPerGroup: number;
  readonly slotsPerPool: number; // of a full buffer
  readonly poolSlots: readonly number[]; // slots of each buffer
}

/** Slots that kernels of one layer can reach. */
export function mostSlots({ recordBytes }: Pick<StoreShape, 'recordBytes'>, maxBindingBytes: number): number {
  return MAX_POOLS * slotsOfBinding(recordBytes, maxBindingBytes);
}

function slotsOfBinding(recordBytes: number, maxBindingBytes: number): number {
  return Math.floor(Math.min(maxBindingBytes, MAX_POOL_BYTES) / recordBytes);
}

/**
 * How many buffers the kernels of a layer bind. It follows from the model and the device alone, so that runs with fewer
 * slots use the same pipelines.
 */
export function poolsPerLayer(
  { unitsPerLayer, recordBytes }: Pick<StoreShape, 'unitsPerLayer' | 'recordBytes'>,
  maxBindingBytes: number,
): 1 | 4 {
  const most = slotsOfBinding(recordBytes, Math.min(maxBindingBytes, WANTED_POOL_BYTES));
  return most >= unitsPerLayer ? 1 : MAX_POOLS;
}

/** The largest buffer that a layer's experts take where all of them are there. */
export function largestPoolBytes(
  shape: Pick<StoreShape, 'unitsPerLayer' | 'recordBytes'>,
  maxBindingBytes: number,
): number {
  const { unitsPerLayer, recordBytes } = shape;
  const slots = Math.ceil(unitsPerLayer / poolsPerLayer(shape, maxBindingBytes));
  return Math.min(slots, slotsOfBinding(recordBytes, maxBindingBytes)) * recordBytes;
}

/**
 * Divides the slots into few large buffers: one for each group of layers where all units of a layer fit one of 512 MiB,
 * else four for each layer.
 *
 * @throws {AtomoeError} limit-too-small - a layer's slots do not fit four bindings
 */
export function planPools(
  shape: StoreShape,
  maxBindingBytes: number,
  { places, reserved }: SlotCounts = { places: shape.unitsPerLayer, reserved: 0 },
): PoolPlan {
  const { layers, recordBytes } = shape;
  const counts = { places, reserved };
  if (poolsPerLayer(shape, maxBindingBytes) === 1) {
    const most = slotsOfBinding(recordBytes, Math.min(maxBindingBytes, WANTED_POOL_BYTES));
    const layersPerGroup = Math.max(1, Math.min(layers, Math.floor((most - reserved) / places)));
    const poolSlots = Array.from(
      { length: Math.ceil(layers / layersPerGroup) },
      (_, group) => Math.min(layersPerGroup, layers - group * layersPerGroup) * places + reserved,
    );
    const slotsPerPool = layersPerGroup * places + reserved;
    return { ...counts, poolSlots, poolsPerLayer: 1, layersPerGroup, slotsPerPool };
  }
  const perLayer = places + reserved;
  if (slotsOfBinding(recordBytes, maxBindingBytes) * MAX_POOLS < perLayer) {
    throw new AtomoeError(
      'limit-too-small',
      `${perLayer} experts of a layer take ${perLayer * recordBytes} bytes, this device binds at most ` +
        `${MAX_POOLS} x ${maxBindingBytes}; quantize, or choose a smaller model or memoryBudget`,
    );
  }
  const slotsPerPool = Math.ceil(perLayer / MAX_POOLS);
  const poolSlots = Array.from({ length: layers * MAX_POOLS }, (_, pool) =>
    Math.max(0, Math.min(slotsPerPool, perLayer - (pool % MAX_POOLS) * slotsPerPool)),
  );
  return { ...counts, poolSlots, poolsPerLayer: 4, layersPerGroup: 1, slotsPerPool };
}

/** Which group a layer belongs to. */
export function groupOf({ layersPerGroup }: PoolPlan, layer: number): number {
  return Math.floor(layer / layersPerGroup);
}

/** The slot in which a place of a layer is at first. */
export function homeSlot({ layersPerGroup, places }: PoolPlan, layer: number, place: number): number {
  return (layer % layersPerGroup) * places + place;
}

/** A group's slots behind those of its layers. */
export function reservedSlots(plan: PoolPlan, group: number, layers: number): number[] {
  const { layersPerGroup, places, reserved } = plan;
  const first = Math.min(layersPerGroup, layers - group * layersPerGroup) * places;
  return Array.from({ length: reserved }, (_, index) => first + index);
}

/** Which buffer a group's slot is in, and where; and what the table says of it. */
export function locate(
  { poolsPerLayer, slotsPerPool }: PoolPlan,
  group: number,
  slot: number,
): { readonly pool: number; readonly index: number; readonly entry: number } {
  if (poolsPerLayer === 1) return { pool: group, index: slot, entry: slotNumber(0, slot) };
  const pool = Math.floor(slot / slotsPerPool);
  const index = slot % slotsPerPool;
  return { pool: group * MAX_POOLS + pool, index, entry: slotNumber(pool, index) };
}

/** A group's slot from what the table says of it. */
export function slotOfEntry({ slotsPerPool }: PoolPlan, entry: number): number {
  return (entry >>> 24) * slotsPerPool + (entry & 0xffffff);
}
