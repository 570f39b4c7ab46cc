/** The levels of ggml's IQ1, IQ2 and IQ3 formats, by codes of four bits. simd/lib/coded.ts has the same tables. */
import iq2 from '../../shaders/lib/codes-iq2.wgsl?raw';
import iq3 from '../../shaders/lib/codes-iq3.wgsl?raw';
import odd from '../../shaders/lib/codes-odd.wgsl?raw';
import type { Levels } from './grid-blocks.ts';

/** Of IQ2_XXS, IQ2_XS and IQ2_S: 8, 25 and 43, and with the bit SIGN -8, -25 and -43. Other codes are not used. */
export const IQ2_LEVELS: Levels = {
  table: [8, 25, 43, 0, 0, 0, 0, 0, -8, -25, -43],
  wgsl: { name: 'codes-iq2', text: iq2 },
  simd: 17,
};

/** The sign of IQ2_LEVELS. */
export const SIGN = 8;

/** Of IQ3_S, IQ1_S and IQ1_M: four times the odd numbers from -15 to 15. */
export const ODD_LEVELS: Levels = {
  table: Array.from({ length: 16 }, (_, code) => 8 * code - 60),
  wgsl: { name: 'codes-odd', text: odd },
  simd: 19,
};

/** Of IQ3_XXS: those of ODD_LEVELS, but 62 and -62 instead of 60 and -60. */
export const IQ3_LEVELS: Levels = {
  table: ODD_LEVELS.table.map((level) => (Math.abs(level) === 60 ? level + Math.sign(level) * 2 : level)),
  wgsl: { name: 'codes-iq3', text: iq3 },
  simd: 18,
};
