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
