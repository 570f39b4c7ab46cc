import type { WeightDtype } from './dtypes.ts';
import type * as RecordLevels from './record-levels.ts';

/** A contiguous range of a matrix's data, such as its quants or the scales of its blocks. Offsets are from the matrix's start. */
export interface Plane {
  readonly name: string;
  readonly offsetBytes: number; // a multiple of 16
  readonly sizeBytes: number;
}

/** WGSL code: one text, or several files, which other formats may share, by name. */
export type FormatSource = string | readonly { readonly name: string; readonly text: string }[];

/** The WGSL that a format adds to kernels that read it. `shaders/lib` has that of the built-in formats. */
export interface FormatShaders {
  /**
   * `UNIT`, `UNIT_VEC4`, `SCALED`, `unpack_unit(words, scale)`, `unit_scale_index(row, unit, cols)`: see
   * shaders/lib/weights-f32.wgsl.
   */
  readonly unpack: FormatSource;
  /** `UnitInputs`, `unit_inputs(at)`, `unit_dot(words, inputs)`: see shaders/lib/dot-f32.wgsl. */
  readonly dot: FormatSource;
  /** `STEP`, `XStep`, `step_inputs(unit)`, `step_dot(at, in)`: see shaders/lib/step-f32.wgsl. */
  readonly step: FormatSource;
  /**
   * Whether units have data in the second plane other than an f16 scale (another scale, a minimum, high bits). Then `unpack`
   * also defines `alias Side` and `read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side`, which reads that
   * plane by `side_word(at, n)`, 32-bit word n, and `side_vec4(at, n)`, words 4 n to 4 n + 3. `unpack_unit` takes a Side instead of a scale; `unit_dot` and `step_dot` take one as a
   * third argument and return whole products; STEP is 1; SCALED and `unit_scale_index` are not needed.
   */
  readonly sided?: boolean;
}

/**
 * A weight format: the byte layout of a matrix in record files, host memory and GPU memory.
 *
 * A matrix [rows, cols] is row-major. Kernels read it 16 bytes at a time; each load is a unit of consecutive
 * weights of one row. The first plane starts at offset 0 and consists of whole units; a second plane, named `scales`, has the
 * factors of blocks.
 */
export interface WeightFormat {
  readonly name: string;
  /** Number of weights with a common scale. Rows consist of whole blocks, blocks of whole units. */
  readonly block: number;
  /** Number of weights in a unit: 4, 8, 16 or 32. */
  readonly unit: number;
  /** Size of a unit in the first plane. Default: 16. With 8, two units are one load, and a sided format chooses its half. */
  readonly unitBytes?: 8 | 16;
  /** The element type of files whose bytes are already in this format. Formats without one are quantised. */
  readonly storedAs?: WeightDtype;
  /** The planes of a [rows, cols] matrix. `cols` is a multiple of `block`, unless the format is f32. */
  planes(rows: number, cols: number): readonly Plane[];
  readonly wgsl: FormatShaders;
  /** Its number in the WebAssembly kernels (`simd/lib/format.ts`). Default: they do not read it; the references run. */
  readonly simd?: number;
  /** The specification: decodes bytes to [rows, cols] values. May return a view of `bytes`. */
  decode(bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number): Float32Array<ArrayBuffer>;
  /**
   * Encodes [rows, cols] values, rounding to nearest.
   *
   * @throws {AtomoeError} non-finite - the values of a block are too large for its scale
   */
  encode?(values: Float32Array<ArrayBuffer>, rows: number, cols: number): Uint8Array<ArrayBuffer>;
  /** Conversion from the blocks in which files have it (`BLOCK_DTYPES`); lossless. */
  readonly repack?: Repack;
  /**
   * Of nested planes: the names of the formats whose bytes its own begin with, from the fewest bits on, and at last its own. Each has one plane
   * more than the one before it. Records have these planes behind the base of all matrices, so that the beginning of a record is one of
   * fewer bits.
   */
  readonly levels?: readonly string[];
  /** With `levels`: how records have such parts. */
  readonly records?: LeveledRecords;
  /** With `levels`: writes into a matrix where its planes above the base are, in bytes from its start; one without an offset is absent. */
  link?(bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number, offsets: readonly number[]): void;
}

/** What `record.ts` leaves to formats with levels. */
export type LeveledRecords = Pick<typeof RecordLevels, 'leveledLayout' | 'putPlanes'>;

/** Rearranges the bytes of a [rows, cols] matrix; `into`, which is zero and has the size of the result, is filled and returned. */
export type Repack = (
  source: Uint8Array,
  rows: number,
  cols: number,
  into?: Uint8Array<ArrayBuffer>,
) => Uint8Array<ArrayBuffer>;

/** Defines a format and infers its literal types, from which names are derived. */
export function defineFormat<const F extends WeightFormat>(format: F): F {
  return format;
}
