/** MXFP4: blocks of 32 values of 4 bits (1 sign, 2 exponent, 1 mantissa) and an 8-bit exponent e; w = 2^(e - 128) * T[q]. */
import codes from '../../../shaders/lib/codes-mxfp4.wgsl?raw';
import side from '../../../shaders/lib/side-mxfp4.wgsl?raw';
import { codedFormat, copyUnit, readNibbles, setScale } from '../coded-blocks.ts';

const ZERO = 16;
/** Twice the values of q, plus ZERO. */
const TABLE = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12].map((value) => value + ZERO);

/** 4-bit floating-point blocks of 32 weights with a power of two as scale (ggml's MXFP4). */
export const mxfp4 = codedFormat({
  name: 'mxfp4',
  block: 32,
  blockBytes: 17, // e, qs[16]
  side: { blocks: 4, words: 1 },
  zero: ZERO,
  wgsl: { 'codes-mxfp4': codes, 'side-mxfp4': side },
  simd: 11,
  repack(source, from, to, block) {
    const word = block >> 2;
    to.sides[word] = (to.sides[word] ?? 0) | (source.getUint8(from) << (8 * (block & 3)));
    copyUnit(source, from + 1, to, block);
  },
  read(from, unit, to) {
    readNibbles(from, unit, to.codes);
    for (const [i, code] of to.codes.entries()) to.codes[i] = TABLE[code] ?? 0;
    const exponent = ((from.sides[unit >> 2] ?? 0) >>> (8 * (unit & 3))) & 0xff;
    setScale(to, 2 ** (exponent - 128));
  },
});
