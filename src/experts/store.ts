import { AtomoeError, invariant } from '../errors.ts';
import type { Buffer } from '../gpu/buffer.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Ref } from '../graph/tensor.ts';
import { ABSENT_SLOT, slotNumber, type ExpertWeights, type RecordLayout } from '../graph/experts.ts';

/** Kernels bind one pool buffer, or four when a layer's experts do not fit one binding. */
const MAX_POOLS = 4;

/** Bindings above 2 GiB are refused or slow on some drivers (gpuweb issue 6338). */
const MAX_POOL_BYTES = 2 ** 31;

export interface StoreShape {
  readonly layers: number;
  readonly unitsPerLayer: number;
  readonly layout: RecordLayout;
}

/** Where slots lie: so many in each buffer, and which buffers a layer binds. */
export interface PoolPlan {
  readonly poolSlots: readonly number[]; // slots of each buffer
  readonly poolsPerLayer: 1 | 4;
  readonly layersPerPool: number; // with one pool a layer
  readonly slotsPerPool: number;
}

/**
 * Divides the slots into few large buffers: one for each group of layers where a layer fits one binding, else up to
 * four for each layer.
 *
 * @throws {AtomoeError} limit-too-small - a layer does not fit four bindings
 */
export function planPools({ layers, unitsPerLayer, layout }: StoreShape, maxBindingBytes: number): PoolPlan {
  const slotsPerPool = Math.floor(Math.min(maxBindingBytes, MAX_POOL_BYTES) / layout.sizeBytes);
  if (slotsPerPool >= unitsPerLayer) {
    const layersPerPool = Math.min(layers, Math.floor(slotsPerPool / unitsPerLayer));
    const poolSlots = Array.from(
      { length: Math.ceil(layers / layersPerPool) },
      (_, pool) => Math.min(layersPerPool, layers - pool * layersPerPool) * unitsPerLayer,
    );
    return { poolSlots, poolsPerLayer: 1, layersPerPool, slotsPerPool: layersPerPool * unitsPerLayer };
  }
  if (slotsPerPool * MAX_POOLS < unitsPerLayer) {
    throw new AtomoeError(
      'limit-too-small',
      `a layer's ${unitsPerLayer} experts take ${unitsPerLayer * layout.sizeBytes} bytes, this device binds at most ` +
        `${MAX_POOLS} x ${maxBindingBytes}; quantize, or choose a smaller model`,
    );
  }
  const perPool = Math.ceil(unitsPerLayer / MAX_POOLS);
  const poolSlots = Array.from({ length: layers * MAX_POOLS }, (_, pool) =>
    Math.max(0, Math.min(perPool, unitsPerLayer - (pool % MAX_POOLS) * perPool)),
  );
  return { poolSlots, poolsPerLayer: 4, layersPerPool: 1, slotsPerPool: perPool };
}

/** All experts of a model in GPU memory, in slots behind a table. */
export class ExpertStore implements ExpertWeights {
  readonly unitsPerLayer: number;
  readonly layout: RecordLayout;
  readonly table: Ref;
  readonly #table: Buffer;
  readonly #gpu: Gpu;
  readonly #shape: StoreShape;
  readonly #plan: PoolPlan;
  readonly #pools: readonly Buffer[];
  readonly #slots: Uint32Array<ArrayBuffer>; // [layers * unitsPerLayer], mirror of the table
  readonly #place: (unit: number, layer: number) => number;

  private constructor(
    gpu: Gpu,
    shape: StoreShape,
    plan: PoolPlan,
    pools: readonly Buffer[],
    table: Buffer,
    place: (unit: number, layer: number) => number,
  ) {
    this.#gpu = gpu;
    this.#shape = shape;
    this.#plan = plan;
    this.#pools = pools;
    this.table = { kind: 'buffer', buffer: table };
    this.#table = table;
    this.#place = place;
    this.unitsPerLayer = shape.unitsPerLayer;
    this.layout = shape.layout;
    this.#slots = new Uint32Array(shape.layers * shape.unitsPerLayer).fill(ABSENT_SLOT);
    gpu.write(table, 0, this.#slots);
  }

  /**
   * Allocates the slots; they are empty.
   *
   * @param place - which of a layer's places a unit takes; a permutation, for tests
   * @throws {AtomoeError} out-of-memory; limit-too-small
   */
  static async open(
    gpu: Gpu,
    shape: StoreShape,
    place: (unit: number, layer: number) => number = (unit) => unit,
  ): Promise<ExpertStore> {
    const plan = planPools(shape, Math.min(gpu.limits.maxBindingBytes, gpu.limits.maxBufferSizeBytes));
    const { pools, table } = await gpu.allocating('the experts', () => ({
      pools: plan.poolSlots.map((slots, index) =>
        gpu.createBuffer({
          label: `expert pool ${index}`,
          sizeBytes: slots * shape.layout.sizeBytes,
          kind: 'experts',
        }),
      ),
      table: gpu.createBuffer({
        label: 'expert table',
        sizeBytes: 4 * shape.layers * shape.unitsPerLayer,
        kind: 'experts',
      }),
    }));
    return new ExpertStore(gpu, shape, plan, pools, table, place);
  }

  pools(layer: number): readonly Ref[] {
    return this.#buffers(layer).map((buffer) => ({ kind: 'buffer', buffer }));
  }

  #buffers(layer: number): readonly Buffer[] {
    const { poolsPerLayer, layersPerPool } = this.#plan;
    const first = poolsPerLayer === 1 ? Math.floor(layer / layersPerPool) : layer * MAX_POOLS;
    return this.#pools.slice(first, first + poolsPerLayer);
  }

  /** Writes a unit's record into its slot. `commit` makes it visible. */
  put(layer: number, unit: number, record: Uint8Array<ArrayBuffer>): void {
    const { poolsPerLayer, layersPerPool, slotsPerPool } = this.#plan;
    invariant(record.byteLength === this.layout.sizeBytes, () => `a record of ${record.byteLength} bytes`);
    const place = this.#place(unit, layer);
    const pool = poolsPerLayer === 1 ? 0 : Math.floor(place / slotsPerPool);
    const index =
      poolsPerLayer === 1 ? (layer % layersPerPool) * this.unitsPerLayer + place : place % slotsPerPool;
    const buffer = this.#buffers(layer)[pool];
    invariant(buffer, () => `no pool ${pool} for layer ${layer}`);
    this.#gpu.write(buffer, index * this.layout.sizeBytes, record);
    this.#slots[layer * this.unitsPerLayer + unit] = slotNumber(pool, index);
  }

  /** Sends the table. */
  commit(): void {
    this.#gpu.write(this.#table, 0, this.#slots);
  }

  dispose(): void {
    for (const pool of this.#pools) pool.dispose();
    this.#table.dispose();
  }

  get layers(): number {
    return this.#shape.layers;
  }
}
