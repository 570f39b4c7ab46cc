/**
 * Shared by ggml's ternary formats, whose blocks of 256 weights have codes 0, 1 and 2 for -1, 0 and 1, and one scale: w = d (code - 1).
 * In memory each has two bits for a code and an f32 for a block, 2.125 bits a weight. Kernels add and subtract inputs as the bits of the
 * codes say, and multiply once for each 32 weights (shaders/lib/dot-ternary.wgsl, step-ternary.wgsl).
 */
import codes from '../../shaders/lib/codes-2.wgsl?raw';
import dot from '../../shaders/lib/dot-ternary.wgsl?raw';
import side from '../../shaders/lib/side-ternary.wgsl?raw';
import step from '../../shaders/lib/step-ternary.wgsl?raw';
import { addPairs, codedFormat, setScale, type CodedMatrix } from './coded-blocks.ts';
import { f16ToF32 } from './half.ts';
import type { WeightFormat } from './format.ts';

/** A format of this kind. */
export interface TernaryKind {
  readonly name: string;
  /** Size of a ggml block, whose last two bytes are the f16 scale. */
  readonly blockBytes: number;
  /** Moves the codes of the ggml block at `from` to block `block` of a zeroed matrix: weight 4 k + b of 16 has bits 8 b + 2 k of their word. */
  moveCodes(source: DataView, from: number, to: CodedMatrix, block: number): void;
}

/** The weight format of a kind. */
export function ternaryFormat({ name, blockBytes, moveCodes }: TernaryKind): WeightFormat {
  return codedFormat({
    name,
    block: 256,
    blockBytes,
    isShort: true,
    side: { blocks: 1, words: 1 },
    zero: 1,
    wgsl: { 'codes-2': codes, 'side-ternary': side },
    products: { dot: { 'dot-ternary': dot }, step: { 'step-ternary': step } },
    simd: 26,
    repack(source, from, to, block) {
      float[0] = f16ToF32(source.getUint16(from + blockBytes - 2, true));
      to.sides[block] = bits[0] ?? 0;
      moveCodes(source, from, to, block);
    },
    read(from, unit, to) {
      to.codes.fill(0);
      addPairs(from.units, 2 * unit, to.codes, 0);
      bits[0] = from.sides[unit >> 3] ?? 0;
      setScale(to, float[0] ?? 0);
    },
  });
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
