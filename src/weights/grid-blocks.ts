/**
 * Shared by ggml's IQ1, IQ2 and IQ3 formats, whose blocks of 256 weights index grids of a few levels. They are unpacked when they
 * are loaded: a code of four bits for each weight, and for each block a f32 factor D and a scale S of four bits for each 16 weights;
 * w = D * (0.5 + S) * level. That has 4.375 bits for each weight, and the values of ggml: d has 11 significant bits, 0.5 + S five and a
 * level at most six, so no product is rounded. shaders/lib/side-grid.wgsl reads the same.
 */
import side from '../../shaders/lib/side-grid.wgsl?raw';
import { codedFormat, readNibbles, type CodedMatrix } from './coded-blocks.ts';
import { f16ToF32 } from './half.ts';
import type { WeightFormat } from './format.ts';

const BLOCK = 256;
const UNITS = BLOCK / 32;
/** Added to the levels, so that codes are not negative. */
const ZERO = 64;
const SIDE_WORDS = 3; // D, 16 scales

/** The levels of codes. */
export interface Levels {
  /** Of 16 codes. Weights are D * (0.5 + S) * level. */
  readonly table: readonly number[];
  /** The file of shaders/lib that computes the same. */
  readonly wgsl: { readonly name: string; readonly text: string };
  /** Their number in the WebAssembly kernels. */
  readonly simd: number;
}

/** A format of this kind. */
export interface GridKind {
  readonly name: string;
  /** Size of a ggml block. */
  readonly blockBytes: number;
  readonly levels: Levels;
  /** Unpacks the ggml block at `from` to block `block` of a zeroed matrix. */
  repack(source: DataView, from: number, to: CodedMatrix, block: number): void;
}

/** The weight format of a kind. */
export function gridFormat({ levels: { table, wgsl, simd }, ...kind }: GridKind): WeightFormat {
  return codedFormat({
    ...kind,
    block: BLOCK,
    side: { blocks: 1, words: SIDE_WORDS },
    zero: ZERO,
    wgsl: { [wgsl.name]: wgsl.text, 'side-grid': side },
    simd,
    read(from, unit, to) {
      readNibbles(from, unit, to.codes);
      for (const [i, code] of to.codes.entries()) to.codes[i] = ZERO + (table[code] ?? 0);
      const [at, own] = [SIDE_WORDS * Math.floor(unit / UNITS), unit % UNITS];
      const pair = (from.sides[at + 1 + (own >> 2)] ?? 0) >>> (8 * (own & 3));
      const factor = floatOf(from.sides[at] ?? 0);
      to.scales[0] = factor * (0.5 + (pair & 15));
      to.scales[1] = factor * (0.5 + ((pair >>> 4) & 15));
    },
  });
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function floatOf(word: number): number {
  bits[0] = word;
  return float[0] ?? 0;
}

/**
 * Sets the scales of a block.
 *
 * @param d - f16 bits of the block's scale
 * @param times - D / d, a power of two
 * @param low - S of the first 128 weights, four bits for each 16
 * @param high - of the last 128
 */
export function setScales(
  { sides }: CodedMatrix,
  block: number,
  d: number,
  times: number,
  low: number,
  high: number,
): void {
  sides[SIDE_WORDS * block] = bitsOfProduct(d, times);
  sides[SIDE_WORDS * block + 1] = low;
  sides[SIDE_WORDS * block + 2] = high;
}

/** The bits of an f16 multiplied by a power of two, as f32. Of normal numbers, exponents are added. */
function bitsOfProduct(half: number, times: number): number {
  const exponent = (half >> 10) & 31;
  if (exponent > 0 && exponent < 31) {
    const power = 31 - Math.clz32(1 / times); // times is 1 at most
    return ((half & 0x8000) << 16) | (((half & 0x7fff) << 13) + ((112 - power) << 23));
  }
  float[0] = times * f16ToF32(half);
  return bits[0] ?? 0;
}

/** Both halves of each of four units have its scale: the lowest four nibbles become bytes. */
export function twiceEach(nibbles: number): number {
  const pairs = (nibbles & 0xff) | ((nibbles & 0xff00) << 8);
  return ((pairs | (pairs << 4)) & 0x0f0f0f0f) * 0x11;
}

/**
 * Writes a unit: four groups of eight codes, each in the low nibbles of two words.
 *
 * @param at - the unit's first word
 */
export function putUnit(
  units: Uint32Array,
  at: number,
  first0: number,
  last0: number,
  first1: number,
  last1: number,
  first2: number,
  last2: number,
  first3: number,
  last3: number,
): void {
  units[at] = first0 | (first2 << 4);
  units[at + 1] = last0 | (last2 << 4);
  units[at + 2] = first1 | (first3 << 4);
  units[at + 3] = last1 | (last3 << 4);
}

/** Writes a unit of four entries of eight codes, by the places of their words in a table. */
export function putEntries(
  units: Uint32Array,
  at: number,
  codes: Int32Array,
  e0: number,
  e1: number,
  e2: number,
  e3: number,
): void {
  units[at] = (codes[e0] ?? 0) | ((codes[e2] ?? 0) << 4);
  units[at + 1] = (codes[e0 + 1] ?? 0) | ((codes[e2 + 1] ?? 0) << 4);
  units[at + 2] = (codes[e1] ?? 0) | ((codes[e3] ?? 0) << 4);
  units[at + 3] = (codes[e1 + 1] ?? 0) | ((codes[e3 + 1] ?? 0) << 4);
}

/** Changes the signs of a unit: those of its four groups, by the places of their words in a table. */
export function signUnit(
  units: Uint32Array,
  at: number,
  signs: Int32Array,
  s0: number,
  s1: number,
  s2: number,
  s3: number,
): void {
  units[at] = (units[at] ?? 0) ^ (signs[s0] ?? 0) ^ ((signs[s2] ?? 0) << 4);
  units[at + 1] = (units[at + 1] ?? 0) ^ (signs[s0 + 1] ?? 0) ^ ((signs[s2 + 1] ?? 0) << 4);
  units[at + 2] = (units[at + 2] ?? 0) ^ (signs[s1] ?? 0) ^ ((signs[s3] ?? 0) << 4);
  units[at + 3] = (units[at + 3] ?? 0) ^ (signs[s1 + 1] ?? 0) ^ ((signs[s3 + 1] ?? 0) << 4);
}

/**
 * The codes of a grid's entries, in the low nibbles of bytes: a word for each four weights. Codes have four bits, so words are small
 * integers to JavaScript engines.
 *
 * @param text - entries of 16 bits in base64
 * @param entryWeights - 4 or 8
 * @param codeOf - the code of an index into the levels of the grid
 */
export function gridCodes(text: string, entryWeights: 4 | 8, codeOf: (index: number) => number): Int32Array {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const [width, words] = [16 / entryWeights, entryWeights / 4];
  return Int32Array.from({ length: (bytes.length / 2) * words }, (_, word) => {
    const entry = Math.floor(word / words);
    const all = ((bytes[2 * entry] ?? 0) | ((bytes[2 * entry + 1] ?? 0) << 8)) >>> (8 * (word % words));
    return packed((i) => codeOf((all >>> (width * i)) & (2 ** width - 1)));
  });
}

/**
 * Words to combine with those of `gridCodes` by exclusive or, two for each byte of signs.
 *
 * @param positive - for weights whose bit is 0
 * @param negative - for the others
 */
export function signCodes(positive: number, negative: number): Int32Array {
  return Int32Array.from({ length: 512 }, (_, word) => {
    const signs = (word >> 1) >> (4 * (word & 1));
    return packed((i) => ((signs >> i) & 1 ? negative : positive));
  });
}

/** As `signCodes`, for each seven bits of signs: the eighth makes the number of negative weights even. */
export function evenSignCodes(positive: number, negative: number): Int32Array {
  const all = signCodes(positive, negative);
  return Int32Array.from({ length: 256 }, (_, word) => all[2 * withParity(word >> 1) + (word & 1)] ?? 0);
}

function withParity(seven: number): number {
  const four = seven ^ (seven >> 4);
  const two = four ^ (four >> 2);
  return seven | (((two ^ (two >> 1)) & 1) << 7);
}

function packed(codeOf: (i: number) => number): number {
  return codeOf(0) | (codeOf(1) << 8) | (codeOf(2) << 16) | (codeOf(3) << 24);
}
