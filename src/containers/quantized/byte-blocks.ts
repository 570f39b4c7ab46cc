/** Signed codes of eight bits: blocks of 32 as the formats read them. */
import { BLOCK_DTYPES, type StoredDtype } from '../../weights/dtypes.ts';
import { f32ToF16 } from '../../weights/half.ts';
import { SCALED_COLS } from './byte-rows.ts';
import { BLOCK } from './nibbles.ts';

type ByteDtype = 'Q8_0' | 'I8_G128';

/** The block type that holds the scales of groups exactly: that of ggml in f16, else one whose groups are wide; undefined: none. */
export function byteDtype(scales: StoredDtype, groupCols: number, cols: number): ByteDtype | undefined {
  if (scales === 'F16') return 'Q8_0';
  return groupCols % SCALED_COLS === 0 || groupCols >= cols ? 'I8_G128' : undefined;
}

/** Writes blocks: a scale, then codes. */
export class ByteBlocks {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #isGgml: boolean;
  readonly #sizeBytes: number;

  constructor(dtype: ByteDtype, count: number) {
    this.#isGgml = dtype === 'Q8_0';
    this.#sizeBytes = BLOCK_DTYPES[dtype].sizeBytes;
    this.bytes = new Uint8Array(count * this.#sizeBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  /**
   * Writes a block.
   *
   * @param zero - what is subtracted from codes: 128
   * @param codes - of eight bits, from `from` on
   */
  set(block: number, scale: number, zero: number, codes: Uint8Array, from: number): void {
    const end = (block + 1) * this.#sizeBytes;
    if (this.#isGgml) this.#view.setUint16(end - this.#sizeBytes, f32ToF16(scale), true);
    else this.#view.setFloat32(end - this.#sizeBytes, scale, true);
    for (let i = 0; i < BLOCK; i += 1) this.bytes[end - BLOCK + i] = (codes[from + i] ?? 0) - zero;
  }
}
