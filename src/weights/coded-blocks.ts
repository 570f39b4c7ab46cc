/**
 * Shared by formats of ggml blocks whose weights are codes: w = scale * code + offset, with a scale and an offset for each 16
 * weights. The values are those of ggml, but not the layout: the first plane has the low four bits of all codes, in units of 32
 * weights (byte j has weight j in its low nibble, j + 16 in its high one, as q4_0), or the low two bits of short ones; the second has what else a unit needs.
 * shaders/lib/weights-codes.wgsl reads the same.
 */
import dot from '../../shaders/lib/dot-codes.wgsl?raw';
import halves from '../../shaders/lib/dot-halves.wgsl?raw';
import dotMasked from '../../shaders/lib/dot-masked.wgsl?raw';
import step from '../../shaders/lib/step-codes.wgsl?raw';
import columns from '../../shaders/lib/step-columns.wgsl?raw';
import stepMasked from '../../shaders/lib/step-masked.wgsl?raw';
import unpack from '../../shaders/lib/weights-codes.wgsl?raw';
import { invariant } from '../errors.ts';
import { defineFormat, type Plane, type Repack, type WeightFormat } from './format.ts';
import { f16ToF32 } from './half.ts';

const UNIT = 32;
const HALF = UNIT / 2;
const UNIT_WORDS = 4;
const PAIR_WORDS = 2; // of a unit of low two bits
const NIBBLES = 0x0f0f0f0f;

/** The planes of a matrix as words. */
export interface CodedMatrix {
  readonly units: Uint32Array<ArrayBuffer>; // four of a unit, or two
  readonly sides: Uint32Array<ArrayBuffer>;
}

/** One decoded unit. */
export interface CodedUnit {
  readonly codes: Uint8Array; // [32]
  readonly scales: Float64Array; // [2], of the first and the last 16 weights
  readonly offsets: Float64Array; // [2]; unused by kinds with a zero
}

/** A format of this kind. */
export interface CodedKind {
  readonly name: string;
  readonly block: 32 | 64 | 256;
  /** Size of a ggml block. */
  readonly blockBytes: number;
  /** Whether the first plane has two bits of each code, not four. Default: false. */
  readonly isShort?: boolean;
  /** The second plane has this many words for each group of consecutive blocks. */
  readonly side: { readonly blocks: number; readonly words: number };
  /** The code of the value 0, in formats without offsets: w = scale * (code - zero). */
  readonly zero?: number;
  /** Files of shaders/lib, by name: `unit_codes` and `read_side` (see weights-codes.wgsl there). */
  readonly wgsl: Readonly<Record<string, string>>;
  /** Files of shaders/lib in the place of dot-codes and step-codes, likewise. */
  readonly products?: { readonly [N in 'dot' | 'step']: Readonly<Record<string, string>> };
  /** Its number in the WebAssembly kernels. */
  readonly simd?: number;
  /** Moves ggml block `block`, whose bytes begin at `from`, to a zeroed matrix. */
  repack(source: DataView, from: number, to: CodedMatrix, block: number): void;
  /** Reads unit `unit` of a matrix. */
  read(from: CodedMatrix, unit: number, to: CodedUnit): void;
}

/** Products with codes that are masked in place. */
const MASKED: NonNullable<CodedKind['products']> = {
  dot: { 'dot-masked': dotMasked, 'dot-codes': dot },
  step: { 'step-masked': stepMasked, 'step-codes': step },
};

/** The weight format of a kind. */
export function codedFormat(kind: CodedKind): WeightFormat {
  const { products = MASKED } = kind;
  return defineFormat({
    name: kind.name,
    block: kind.block,
    unit: UNIT,
    unitBytes: kind.isShort ? 8 : 16,
    planes: (rows, cols) => codedPlanes(kind, rows, cols),
    wgsl: {
      unpack: filesOf({ 'weights-codes': unpack, ...kind.wgsl }),
      dot: filesOf({ 'dot-halves': halves, ...products.dot }),
      step: filesOf({ 'step-columns': columns, ...products.step }),
      sided: true,
    },
    ...(kind.simd !== undefined && { simd: kind.simd }),
    decode: (bytes, rows, cols) => decode(kind, bytes, rows, cols),
    repack: (...given) => repack(kind, ...given),
  });
}

function filesOf(texts: Readonly<Record<string, string>>): { name: string; text: string }[] {
  return Object.entries(texts).map(([stem, text]) => ({ name: `lib/${stem}.wgsl`, text }));
}

/** Words of a unit in the first plane. */
function wordsOf({ isShort = false }: CodedKind): 2 | 4 {
  return isShort ? PAIR_WORDS : UNIT_WORDS;
}

function codedPlanes(kind: CodedKind, rows: number, cols: number): readonly Plane[] {
  const { name, block, side } = kind;
  invariant(cols % block === 0, () => `${name}: ${cols} columns are not a multiple of ${block}`);
  const offsetBytes = ((rows * cols) / UNIT) * 4 * wordsOf(kind);
  const groups = Math.ceil((rows * cols) / block / side.blocks);
  return [
    { name: 'quants', offsetBytes: 0, sizeBytes: offsetBytes },
    { name: 'scales', offsetBytes, sizeBytes: 4 * side.words * groups },
  ];
}

function matrixOf(kind: CodedKind, bytes: Uint8Array<ArrayBuffer>, rows: number, cols: number): CodedMatrix {
  const sizeBytes = codedPlanes(kind, rows, cols).reduce((sum, plane) => sum + plane.sizeBytes, 0);
  invariant(
    bytes.byteLength === sizeBytes,
    () => `${kind.name}: ${bytes.byteLength} bytes, not ${sizeBytes}`,
  );
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Uint32Array(buffer, byteOffset, sizeBytes / 4);
  const unitWords = ((rows * cols) / UNIT) * wordsOf(kind);
  return { units: words.subarray(0, unitWords), sides: words.subarray(unitWords) };
}

function repack(kind: CodedKind, ...[source, rows, cols, into]: Parameters<Repack>): Uint8Array<ArrayBuffer> {
  const { name, block, blockBytes } = kind;
  const count = (rows * cols) / block;
  const wanted = count * blockBytes;
  invariant(source.byteLength === wanted, () => `${name}: ${source.byteLength} bytes, not ${wanted}`);
  const planes = codedPlanes(kind, rows, cols);
  const bytes = into ?? new Uint8Array(planes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const to = matrixOf(kind, bytes, rows, cols);
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  for (let n = 0; n < count; n++) kind.repack(view, n * blockBytes, to, n);
  return bytes;
}

function decode(
  kind: CodedKind,
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  const matrix = matrixOf(kind, bytes, rows, cols);
  const values = new Float32Array(rows * cols);
  const unit = { codes: new Uint8Array(UNIT), scales: new Float64Array(2), offsets: new Float64Array(2) };
  const { zero } = kind;
  // Products are exact in f64, and each sum is rounded once, to f32, as in ggml's reference.
  for (let n = 0; n * UNIT < values.length; n++) {
    kind.read(matrix, n, unit);
    for (let i = 0; i < UNIT; i++) {
      const [half, code] = [i >> 4, unit.codes[i] ?? 0];
      const scale = unit.scales[half] ?? 0;
      // Without an offset nothing is added, because it would turn -0 into 0.
      values[n * UNIT + i] =
        zero === undefined ? scale * code + (unit.offsets[half] ?? 0) : scale * (code - zero);
    }
  }
  return values;
}

/** Copies the 16 bytes of a unit that are in this order in the file. */
export function copyUnit(source: DataView, from: number, { units }: CodedMatrix, unit: number): void {
  for (let k = 0; k < UNIT_WORDS; k++) units[UNIT_WORDS * unit + k] = source.getUint32(from + 4 * k, true);
}

/**
 * Rearranges 32 bytes at `from` whose low nibbles are the weights of unit `low`, and whose high nibbles are those of unit
 * `high`, as ggml's blocks of 256 weights have them.
 */
export function splitNibbles(
  source: DataView,
  from: number,
  { units }: CodedMatrix,
  low: number,
  high: number,
): void {
  for (let k = 0; k < UNIT_WORDS; k++) {
    const first = source.getUint32(from + 4 * k, true);
    const last = source.getUint32(from + HALF + 4 * k, true);
    units[UNIT_WORDS * low + k] = (first & NIBBLES) | ((last & NIBBLES) << 4);
    units[UNIT_WORDS * high + k] = ((first >>> 4) & NIBBLES) | (last & ~NIBBLES);
  }
}

/** Reads the low four bits of the codes of a unit. */
export function readNibbles({ units }: CodedMatrix, unit: number, codes: Uint8Array): void {
  for (let j = 0; j < HALF; j++) {
    const byte = (units[UNIT_WORDS * unit + (j >> 2)] ?? 0) >>> (8 * (j & 3));
    codes[j] = byte & 15;
    codes[HALF + j] = (byte >>> 4) & 15;
  }
}

/** Adds one higher bit: weight 4 k + b has bit 8 b + k of the word, so that kernels move four at a time into their bytes. */
export function addBit(high: number, codes: Uint8Array, bit: number): void {
  for (let i = 0; i < UNIT; i++) {
    codes[i] = (codes[i] ?? 0) | (((high >>> (8 * (i & 3) + (i >> 2))) & 1) << bit);
  }
}

/** Adds two bits: weight 4 k + b of each half of a unit has bits 8 b + 2 k of its word, of two from `at` on. */
export function addPairs(words: Uint32Array, at: number, codes: Uint8Array, bit: number): void {
  for (let i = 0; i < UNIT; i++) {
    const [half, own] = [i >> 4, i & 15];
    const pair = ((words[at + half] ?? 0) >>> (8 * (own & 3) + 2 * (own >> 2))) & 3;
    codes[i] = (codes[i] ?? 0) | (pair << bit);
  }
}

/** Moves 32 bytes, in which bit u of each belongs to unit u of eight, to a word of each unit for `addBit`. */
export function splitBits(source: DataView, from: number, to: Uint32Array, at: number): void {
  for (let k = 0; k < 8; k++) {
    const four = source.getUint32(from + 4 * k, true);
    for (let u = 0; u < 8; u++) to[at + u] = (to[at + u] ?? 0) | (((four >>> u) & 0x01010101) << k);
  }
}

/** Moves 32 bytes, in which bits 2 u of each belong to unit u of four, to two words of each unit for `addPairs`. */
export function splitPairs(source: DataView, from: number, to: Uint32Array, at: number): void {
  for (let k = 0; k < 8; k++) {
    const four = source.getUint32(from + 4 * k, true);
    for (let u = 0; u < 4; u++) {
      const word = at + 2 * u + (k >> 2);
      to[word] = (to[word] ?? 0) | (((four >>> (2 * u)) & 0x03030303) << (2 * (k & 3)));
    }
  }
}

/** The word for `addBit` from one with bit i for weight i. */
export function bitsOf(inOrder: number): number {
  let word = 0;
  for (let k = 0; k < 8; k++) {
    // The product moves the lowest four bits to bits 0, 8, 16 and 24.
    word |= (Math.imul((inOrder >>> (4 * k)) & 15, 0x00204081) & 0x01010101) << k;
  }
  return word;
}

/** Sets the common scale of a unit from f16 bits, and its offset. */
export function setScale(unit: CodedUnit, scale: number, offset = 0): void {
  unit.scales.fill(scale);
  unit.offsets.fill(offset);
}

/** The f16 in the lower half of a word, as f32. */
export function lowHalf(word = 0): number {
  return f16ToF32(word & 0xffff);
}

/** The f16 in the upper half of a word, as f32. */
export function highHalf(word = 0): number {
  return f16ToF32(word >>> 16);
}
