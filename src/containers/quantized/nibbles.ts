/** Codes of four bits: blocks of 32 as the formats read them. */
import { BLOCK_DTYPES, type StoredDtype } from '../../weights/dtypes.ts';
import { f32ToF16 } from '../../weights/half.ts';

/** Weights of a block. */
export const BLOCK = 32;

/** The zero of codes without zero points. */
export const MIDDLE = 8;

/** The block type of codes: that of ggml where all zeros are 8 and scales are f16, else one with zeros and scales of either kind. */
export function nibbleDtype(scales: StoredDtype, isSymmetric: boolean): 'Q4_0' | 'U4_G32' {
  return isSymmetric && scales === 'F16' ? 'Q4_0' : 'U4_G32';
}

/** Types of the scales that both block types take as they are. */
export const NIBBLE_SCALES = ['F16', 'BF16'] as const;

/** Writes blocks: factors, then codes. */
export class NibbleBlocks {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #isGgml: boolean;
  readonly #sizeBytes: number;

  constructor(dtype: 'Q4_0' | 'U4_G32', count: number) {
    this.#isGgml = dtype === 'Q4_0';
    this.#sizeBytes = BLOCK_DTYPES[dtype].sizeBytes;
    this.bytes = new Uint8Array(count * this.#sizeBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  /**
   * Writes a block.
   *
   * @param zero - 0 to 255; 8 in ggml's blocks
   * @param codes - from `from` on, two in a byte, the first in its low nibble
   */
  set(block: number, scale: number, zero: number, codes: Uint8Array, from: number): void {
    const at = block * this.#sizeBytes;
    if (this.#isGgml) this.#view.setUint16(at, f32ToF16(scale), true);
    else {
      this.#view.setFloat32(at, scale, true); // its last byte is 0: it was an f16 or a bf16
      this.bytes[at] = zero;
    }
    pairHalves(codes, from, this.bytes, at + this.#sizeBytes - BLOCK / 2);
  }
}

/**
 * Rearranges 32 weights of four bits in order (byte j has weights 2 j and 2 j + 1, the first in its low nibble) to a block of
 * ggml, whose byte j has weights j and j + 16.
 */
export function pairHalves(source: Uint8Array, from: number, to: Uint8Array, at: number): void {
  for (let j = 0; j < 8; j += 1) {
    const low = source[from + j] ?? 0;
    const high = source[from + 8 + j] ?? 0;
    to[at + 2 * j] = (low & 15) | ((high & 15) << 4);
    to[at + 2 * j + 1] = (low >> 4) | (high & 0xf0);
  }
}

/** The 32-bit words of bytes, which are copied only if they are not aligned. */
export function wordsOf(bytes: Uint8Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}
