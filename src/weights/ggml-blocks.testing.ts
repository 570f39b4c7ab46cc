/** Random blocks of the formats of files, for tests: nothing in this package encodes matrices as these. */
import { weightFormat, type FormatName } from './formats/index.ts';
import { invariant } from '../errors.ts';
import type { Repack } from './format.ts';
import { f32ToF16, f8ToF32 } from './half.ts';

/** Where the factors of a block are: f16 scales at `scale`, f16 minimums at `minimum`, a byte of exponent, or an f32 scale at 0. */
interface BlockLayout {
  readonly bytes: number;
  readonly scale?: number;
  readonly float?: 'whole' | 'zero in the last byte';
  readonly floats8?: number; // where four scales of E4M3 begin
  readonly minimum?: number;
  readonly exponent?: number;
  /** Where four words begin whose highest four bits are those of an f16 scale. */
  readonly nibbles?: number;
  /** The minimum for a scale of 1 at which the mean of random weights is 0. */
  readonly middle?: number; // with a minimum
}

const GGML: Readonly<Record<string, BlockLayout>> = {
  q8_0: { bytes: 34, scale: 0 },
  q4_0: { bytes: 18, scale: 0 },
  q4_1: { bytes: 20, scale: 0, minimum: 2, middle: -7.5 },
  q5_0: { bytes: 22, scale: 0 },
  q5_1: { bytes: 24, scale: 0, minimum: 2, middle: -15.5 },
  q4_k: { bytes: 144, scale: 0, minimum: 2, middle: 7.5 },
  q5_k: { bytes: 176, scale: 0, minimum: 2, middle: 15.5 },
  q6_k: { bytes: 210, scale: 208 },
  q3_k: { bytes: 110, scale: 108 },
  q2_k: { bytes: 84, scale: 80, minimum: 82, middle: 1.5 },
  mxfp4: { bytes: 17, exponent: 0 },
  nvfp4: { bytes: 36, floats8: 0 },
  iq4_nl: { bytes: 18, scale: 0 },
  iq4_xs: { bytes: 136, scale: 0 },
  iq3_s: { bytes: 110, scale: 0 },
  iq3_xxs: { bytes: 98, scale: 0 },
  iq2_s: { bytes: 82, scale: 0 },
  iq2_xs: { bytes: 74, scale: 0 },
  iq2_xxs: { bytes: 66, scale: 0 },
  iq1_m: { bytes: 56, nibbles: 48 },
  iq1_s: { bytes: 50, scale: 0 },
  tq2_0: { bytes: 66, scale: 64 },
  tq1_0: { bytes: 54, scale: 52 },
};

const BLOCKS: Readonly<Record<string, BlockLayout>> = {
  ...GGML,
  f4_g16: { bytes: 40, float: 'whole', floats8: 4 },
  f8_g128: { bytes: 36, float: 'whole' },
  i8_g128: { bytes: 36, float: 'whole' },
  u4_g32: { bytes: 20, float: 'zero in the last byte' },
};

/** Names of the formats that have a ggml layout. */
export const GGML_FORMATS: readonly FormatName[] = Object.keys(GGML);

const DEVIATION = 0.2;

/** A [rows, cols] matrix of random blocks in a format, whose values have a mean square of about 0.04. Some scales are negative. */
export function randomGgml(
  name: FormatName,
  rows: number,
  cols: number,
  next: () => number,
): Uint8Array<ArrayBuffer> {
  const { block } = weightFormat(name);
  return repackOf(name)(randomBlocks(name, (rows * cols) / block, DEVIATION, next), rows, cols);
}

/** Random blocks of a format, as files have them, whose values have about the given standard deviation. */
export function randomBlocks(
  name: FormatName,
  count: number,
  deviation: number,
  next: () => number,
): Uint8Array<ArrayBuffer> {
  return scaledBlocks(name, count, deviation / deviationOf(name), next);
}

/** The conversion of a format from the blocks of files. */
export function repackOf(name: FormatName): Repack {
  const { repack } = weightFormat(name);
  invariant(repack, () => `no file has ${name}`);
  return repack;
}

/** The deviation of the values of random blocks with the scale 1. */
function deviationOf(name: FormatName): number {
  const { block, decode } = weightFormat(name);
  let state = 1;
  const next = () => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff;
  const count = 64;
  const values = decode(repackOf(name)(scaledBlocks(name, count, 1, next), count, block), count, block);
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

function scaledBlocks(
  name: FormatName,
  count: number,
  scale: number,
  next: () => number,
): Uint8Array<ArrayBuffer> {
  const layout = BLOCKS[name];
  invariant(layout, () => `no layout of ${name}`);
  const source = Uint8Array.from({ length: count * layout.bytes }, () => 256 * next());
  if (name === 'f8_g128')
    for (const [at, byte] of source.entries()) if ((byte & 0x7f) === 0x7f) source[at] = 0; // no NaN
  const view = new DataView(source.buffer);
  for (let at = 0; at < source.length; at += layout.bytes) {
    const own = scale * (0.7 + 0.6 * next()) * (next() < 0.3 ? -1 : 1);
    if (layout.scale !== undefined) view.setUint16(at + layout.scale, f32ToF16(own), true);
    if (layout.float !== undefined) view.setFloat32(at, factorOf(name, own), true);
    if (layout.floats8 !== undefined) putFloats8(source, at + layout.floats8, layout.float ? 1 : own, next);
    if (layout.float === 'zero in the last byte') source[at] = 4 + 8 * next();
    if (layout.minimum !== undefined) {
      view.setUint16(at + layout.minimum, f32ToF16(own * (layout.middle ?? 0)), true);
    }
    if (layout.nibbles !== undefined) putNibbles(view, at + layout.nibbles, f32ToF16(own));
    if (layout.exponent !== undefined) {
      source[at + layout.exponent] = 128 + Math.round(Math.log2(scale) + next());
    }
  }
  return source;
}

/** Of f4_g16, a negative factor stands for a divisor. */
function factorOf(name: FormatName, own: number): number {
  return name === 'f4_g16' && own < 0 ? 1 / own : own;
}

/** Four scales about as large as the given one. */
function putFloats8(bytes: Uint8Array, at: number, scale: number, next: () => number): void {
  for (let k = 0; k < 4; k++) {
    const wanted = Math.abs(scale) * (0.7 + 0.6 * next());
    let code = 0;
    while (code < 0x7e && f8ToF32(code + 1) <= wanted) code++;
    bytes[at + k] = code;
  }
}

function putNibbles(view: DataView, at: number, bits: number): void {
  for (let k = 0; k < 4; k++) {
    const rest = view.getUint16(at + 2 * k, true) & 0x0fff;
    view.setUint16(at + 2 * k, rest | (((bits >> (4 * k)) & 15) << 12), true);
  }
}
