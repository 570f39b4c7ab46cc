/** The 6-bit scales and minimums of ggml's Q4_K and Q5_K: 12 bytes for 8 units. shaders/lib/k-scales.wgsl reads the same. */
import { highHalf, lowHalf, setScale, type CodedUnit } from './coded-blocks.ts';

/**
 * Sets the factors of unit `unit` of a block: w = d * S * code - dmin * M.
 *
 * @param at - of four words: f16 d and dmin, then the bytes. Units 0 to 3 have the low six bits of bytes 0 to 3 (scales) and 4
 *   to 7 (minimums); units 4 to 7 have the nibbles of bytes 8 to 11, and the highest two bits of the former
 */
export function readKScales(words: Uint32Array, at: number, unit: number, to: CodedUnit): void {
  const shift = 8 * (unit & 3);
  const byteOf = (word: number) => ((words[at + word] ?? 0) >>> shift) & 0xff;
  const [scales, minimums, nibbles] = [byteOf(1), byteOf(2), byteOf(3)];
  const isFirst = unit < 4;
  const scale = isFirst ? scales & 63 : (nibbles & 15) | ((scales >> 6) << 4);
  const minimum = isFirst ? minimums & 63 : (nibbles >> 4) | ((minimums >> 6) << 4);
  setScale(to, lowHalf(words[at]) * scale, -highHalf(words[at]) * minimum);
}
