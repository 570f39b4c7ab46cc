/**
 * U4: blocks of 32 codes of 4 bits, a scale and a whole zero; w = scale * (q - zero). One word has both: the upper 24 bits of an f32,
 * in which any f16 or bf16 fits, and the zero, 0 to 255.
 */
import codes from '../../../shaders/lib/codes-4.wgsl?raw';
import side from '../../../shaders/lib/side-u4_g32.wgsl?raw';
import { codedFormat, copyUnit, readNibbles, setScale } from '../coded-blocks.ts';

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** 4-bit blocks of 32 weights with a scale and a zero point: those of GPTQ, AWQ and compressed-tensors. */
export const u4_g32 = codedFormat({
  name: 'u4_g32',
  block: 32,
  blockBytes: 20, // scale and zero, qs[16]
  side: { blocks: 1, words: 1 },
  wgsl: { 'codes-4': codes, 'side-u4_g32': side },
  simd: 16,
  repack(source, from, to, block) {
    to.sides[block] = source.getUint32(from, true);
    copyUnit(source, from + 4, to, block);
  },
  read(from, unit, to) {
    const both = from.sides[unit] ?? 0;
    readNibbles(from, unit, to.codes);
    word[0] = both & 0xffffff00;
    const scale = float[0] ?? 0;
    setScale(to, scale, -scale * (both & 0xff));
  },
});
