/** Bases of records in nested bit planes that were read ahead of the planes that refine them. */
import { giveMemory, takeMemory } from '../io/spare-memory.ts';

type Read = (layer: number, unit: number, signal?: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>;

/** How a record is read in two parts, one behind the other in it. */
export interface RecordPlanes {
  readonly baseBytes: number; // of a record
  readonly readBase: Read;
  readonly readRest: Read;
  /** Keeps bases that are read ahead. */
  readonly open: (options: BaseOptions) => BaseRecords;
}

/** The records of which bases are read. */
export interface BaseOptions {
  readonly recordBytes: number;
  readonly units: number; // of a layer
  /** Whether a record is in memory or on its way. */
  readonly isHere: (layer: number, unit: number) => boolean;
}

/** Bases that wait for their planes take no more than this. */
const MOST_BASE_BYTES = 64 * 2 ** 20;

/**
 * The lowest planes of experts that will probably be needed come first, those of all of them; then the rest of each. A record is whole before
 * anybody sees it: what a base saves is the time until then.
 */
export class BaseRecords {
  readonly #planes: Omit<RecordPlanes, 'open'>;
  readonly #options: BaseOptions;
  readonly #bases = new Map<number, Promise<Uint8Array<ArrayBuffer>>>();

  constructor(planes: Omit<RecordPlanes, 'open'>, options: BaseOptions) {
    this.#planes = planes;
    this.#options = options;
  }

  /** Whether another base fits. */
  get hasRoom(): boolean {
    return (this.#bases.size + 1) * this.#planes.baseBytes <= MOST_BASE_BYTES;
  }

  has(layer: number, unit: number): boolean {
    return this.#bases.has(this.#key(layer, unit));
  }

  /**
   * Reads a base and keeps it, if there is room and neither it nor the record is there or on its way.
   *
   * @returns whether it did
   * @throws what the read throws; then it is not kept
   */
  async read(layer: number, unit: number, signal: AbortSignal): Promise<boolean> {
    if (!this.hasRoom || this.has(layer, unit) || this.#options.isHere(layer, unit)) return false;
    const key = this.#key(layer, unit);
    const base = this.#planes.readBase(layer, unit, signal);
    this.#bases.set(key, base);
    try {
      await base;
    } catch (error) {
      this.#bases.delete(key);
      throw error;
    }
    return true;
  }

  /**
   * The whole record, of which only the rest is read: its base leaves this store.
   *
   * @returns undefined if there is no base
   */
  rest(layer: number, unit: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> | undefined {
    const key = this.#key(layer, unit);
    const begun = this.#bases.get(key);
    if (!begun) return undefined;
    // Who reads ahead may give up, or fail; what is needed now is read for itself.
    const base = begun.catch(() => this.#planes.readBase(layer, unit, signal));
    return this.#join(key, base, this.#planes.readRest(layer, unit, signal));
  }

  /** The absent units of all layers: the hottest of each, then the second hottest of each, and so on. */
  absentByHeat(streamer: Heat): ExpertAddress[] {
    const ranked = Array.from({ length: streamer.store.layers }, (_, layer) =>
      streamer
        .byHeat(layer)
        .filter((unit) => !streamer.isPresent(layer, unit))
        .map((unit, rank) => ({ layer, unit, rank })),
    );
    return ranked.flat().sort((a, b) => a.rank - b.rank);
  }

  clear(): void {
    this.#bases.clear();
  }

  async #join(
    key: number,
    basePromise: Promise<Uint8Array<ArrayBuffer>>,
    restPromise: Promise<Uint8Array<ArrayBuffer>>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const [base, rest] = await Promise.all([basePromise, restPromise]);
    this.#bases.delete(key);
    const record = takeMemory(this.#options.recordBytes);
    record.set(base);
    record.set(rest, base.byteLength);
    giveMemory(base);
    giveMemory(rest);
    return record;
  }

  #key(layer: number, unit: number): number {
    return layer * this.#options.units + unit;
  }
}

/** A unit of a layer. */
export interface ExpertAddress {
  readonly layer: number;
  readonly unit: number;
}

/** Which units are absent, and how hot each is. */
interface Heat {
  readonly store: { readonly layers: number };
  byHeat(layer: number): readonly number[];
  isPresent(layer: number, unit: number): boolean;
}
