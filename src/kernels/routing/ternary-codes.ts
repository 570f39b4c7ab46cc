/** Ternary weights as `pair-linear` reads them: 16 codes of 2 bits in a word, 0, 1 and 2 for -1, 0 and 1; rows are whole words. */

const WORD_CODES = 16;

/** Words of a row. */
export function ternaryWords(cols: number): number {
  return Math.ceil(cols / WORD_CODES);
}

/**
 * Packs [rows, cols] of -1, 0 and 1.
 *
 * @returns the bits of words, as weights of a graph hold them: no code is 3, so none is a NaN
 */
export function packTernary(values: ArrayLike<number>, cols: number): Float32Array<ArrayBuffer> {
  const each = ternaryWords(cols);
  const words = new Uint32Array((values.length / cols) * each);
  for (let at = 0; at < values.length; at += 1) {
    const [row, col] = [Math.floor(at / cols), at % cols];
    const word = row * each + Math.floor(col / WORD_CODES);
    words[word] = (words[word] ?? 0) | (((values[at] ?? 0) + 1) << (2 * (col % WORD_CODES)));
  }
  return new Float32Array(words.buffer);
}

/** The values [rows, cols] of packed codes, times the scale of each expert; `scales` has one for as many rows each. */
export function unpackTernary(
  packed: Float32Array,
  scales: ArrayLike<number>,
  rows: number,
  cols: number,
): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(packed.buffer, packed.byteOffset, packed.length);
  const each = ternaryWords(cols);
  const perScale = rows / scales.length;
  return Float32Array.from({ length: rows * cols }, (_, at) => {
    const [row, col] = [Math.floor(at / cols), at % cols];
    const word = words[row * each + Math.floor(col / WORD_CODES)] ?? 0;
    const code = (word >>> (2 * (col % WORD_CODES))) & 3;
    return (code - 1) * (scales[Math.floor(row / perScale)] ?? 0);
  });
}
