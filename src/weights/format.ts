import type { WeightDtype } from './dtypes.ts';

/** Where one kind of a matrix' data is: its quants, the scales of its blocks. Bytes from the matrix' start. */
export interface Plane {
  readonly name: string;
  readonly offsetBytes: number; // a multiple of 16
  readonly sizeBytes: number;
}

/** What a format adds to the kernels that read it, as WGSL. `shaders/lib` has those of the built-in formats. */
export interface FormatShaders {
  /**
   * `UNIT`, `UNIT_VEC4`, `SCALED`, `unpack_unit(words, scale)`, `unit_scale_index(row, unit, cols)`: see
   * shaders/lib/weights-f32.wgsl.
   */
  readonly unpack: string;
  /** `UnitInputs`, `unit_inputs(at)`, `unit_dot(words, inputs)`: see shaders/lib/dot-f32.wgsl. */
  readonly dot: string;
  /** `STEP`, `XStep`, `step_inputs(unit)`, `step_dot(at, in)`: see shaders/lib/step-f32.wgsl. */
  readonly step: string;
  /**
   * Whether units have more besides their 16 bytes than an f16 scale (another scale, a minimum, high bits), all of it in the
   * second plane. Then `unpack` also gives `alias Side` and `read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side`,
   * which reads that plane by `side_word(at, n)`, its 32-bit word n. It is a Side that `unpack_unit` takes, and `unit_dot`
   * and `step_dot` take one as a third argument and give whole products; STEP is 1, and neither SCALED nor
   * `unit_scale_index` is needed.
   */
  readonly sided?: boolean;
}

/**
 * A weight format: how the numbers of a matrix are laid out in bytes, in files of records, in memory and in GPU memory.
 *
 * A matrix [rows, cols] is row-major. Kernels read it 16 bytes at a time, and what each load holds is a unit of
 * neighbouring weights of one row. The first plane is made of whole units and begins with the matrix; a second one,
 * named `scales`, holds what the units of a block are multiplied by.
 */
export interface WeightFormat {
  readonly name: string;
  /** Weights that share a scale. A row is whole blocks, and a block is whole units. */
  readonly block: number;
  /** Weights in 16 bytes: 4, 8, 16 or 32. */
  readonly unit: number;
  /** The element type of files whose bytes are this format as they are. Formats without one are quantised. */
  readonly storedAs?: WeightDtype;
  /** Where the data of a [rows, cols] matrix is. `cols` is a multiple of `block`, unless the format is f32. */
  planes(rows: number, cols: number): readonly Plane[];
  readonly wgsl: FormatShaders;
  /** What the names of its WebAssembly kernels end with (simd/ has their sources). Without them its references run. */
  readonly simd?: string;
  /** The specification: the [rows, cols] values that kernels see. May return a view of `bytes`. */
  decode(bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number): Float32Array<ArrayBuffer>;
  /**
   * The nearest that the format has to [rows, cols] values.
   *
   * @throws {AtomoeError} non-finite - the values of a block are too large for its scale
   */
  encode?(values: Float32Array<ArrayBuffer>, rows: number, cols: number): Uint8Array<ArrayBuffer>;
  /** From the layouts of other programs, by name. No value changes. */
  readonly repack?: Readonly<Record<string, Repack>>;
}

/** Rearranges the bytes of a [rows, cols] matrix. */
export type Repack = (source: Uint8Array, rows: number, cols: number) => Uint8Array<ArrayBuffer>;

/** A format as data. Keeps the types of its literals, from which names are derived. */
export function defineFormat<const F extends WeightFormat>(format: F): F {
  return format;
}
