const MASK_LIMIT = -1e37;

/**
 * y[t, e] = sum over u of links[t, u] values[u, e]; minus infinity where a linked value is masked (below -1e37 or infinite).
 *
 * links [tokens, width], values [tokens, experts] -> [tokens, experts]
 */
export function mixTokensReference(
  links: Float32Array,
  values: Float32Array,
  { tokens, experts, width }: { readonly tokens: number; readonly experts: number; readonly width: number },
): Float32Array<ArrayBuffer> {
  const y = new Float32Array(tokens * experts);
  for (let t = 0; t < tokens; t += 1) {
    for (let e = 0; e < experts; e += 1) {
      let sum = 0;
      for (let u = 0; u < tokens; u += 1) {
        const link = links[t * width + u]!;
        const value = values[u * experts + e]!;
        if (link === 0) continue;
        sum += value < MASK_LIMIT || value === Infinity ? -Infinity : link * value;
      }
      y[t * experts + e] = sum;
    }
  }
  return y;
}
