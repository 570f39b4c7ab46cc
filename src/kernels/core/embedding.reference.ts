/**
 * y[t, :] = multiplier * table[ids[t], :], zeros if ids[t] >= vocab
 *
 * ids [tokens], table [vocab, cols] -> y [tokens, cols]
 */
export function embeddingReference(
  ids: Uint32Array,
  table: Float32Array,
  { tokens, vocab, cols, multiplier }: { tokens: number; vocab: number; cols: number; multiplier: number },
): Float32Array<ArrayBuffer> {
  const y = new Float32Array(tokens * cols);
  for (let t = 0; t < tokens; t += 1) {
    const id = ids[t]!;
    if (id >= vocab) continue;
    for (let c = 0; c < cols; c += 1) y[t * cols + c] = multiplier * table[id * cols + c]!;
  }
  return y;
}
