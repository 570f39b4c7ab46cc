/** Sizes of causal grouped-query attention. */
export interface AttentionOptions {
  readonly tokens: number;
  readonly past: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale: number;
  readonly window: number; // sliding window in keys, including the token itself; 0: all keys
  readonly chunk?: number; // instead of a window: keys of the token's own chunk of positions; 0, the default: all keys
  readonly sinks?: Float32Array | undefined; // [heads]: scores of a key without a value
  readonly keyBias?: Float32Array | undefined; // [context, kvHeads]: added to the scaled scores of a key
}

/**
 * o[t, h, :] = sum_j softmax_j(scale * q[t, h, :] . k[j, g, :]) v[j, g, :], j in (past + t - window, past + t],
 * or, with chunks, j <= past + t of the same floor(j / chunk); g = h / (heads / kvHeads)
 *
 * A bias b[j, g] of a key is added to its scaled scores (Doge). A sink s_h takes a share of the softmax, exp(s_h) of its sum, and adds no value (gpt-oss, OpenAI 2025).
 *
 * q [tokens, heads, headDim], kCache and vCache [context, kvHeads, headDim] -> o [tokens, heads, headDim]
 *
 * Scaled dot-product attention (Vaswani et al. 2017) with grouped queries (Ainslie et al. 2023). The specification of every
 * attention kernel: whole, split and tiled.
 */
export function attentionReference(
  q: Float32Array,
  kCache: Float32Array,
  vCache: Float32Array,
  { tokens, past, heads, kvHeads, headDim, scale, window, chunk = 0, sinks, keyBias }: AttentionOptions,
): Float32Array<ArrayBuffer> {
  const o = new Float32Array(tokens * heads * headDim);
  const weights = new Float64Array(past + tokens);
  const sum = new Float64Array(headDim);
  for (let t = 0; t < tokens; t += 1) {
    const seen = past + t + 1;
    const inWindow = window > 0 ? Math.max(0, seen - window) : 0;
    const oldest = chunk > 0 ? seen - 1 - ((seen - 1) % chunk) : inWindow;
    for (let h = 0; h < heads; h += 1) {
      const row = (t * heads + h) * headDim;
      const head = Math.floor((h * kvHeads) / heads) * headDim;
      let top = sinks?.[h] ?? -Infinity;
      for (let j = oldest; j < seen; j += 1) {
        const key = j * kvHeads * headDim + head;
        let score = 0;
        for (let d = 0; d < headDim; d += 1) score += q[row + d]! * kCache[key + d]!;
        weights[j] = scale * score + (keyBias?.[j * kvHeads + Math.floor((h * kvHeads) / heads)] ?? 0);
        top = Math.max(top, weights[j]!);
      }
      sum.fill(0);
      let total = sinks ? Math.exp(sinks[h]! - top) : 0;
      for (let j = oldest; j < seen; j += 1) {
        const value = j * kvHeads * headDim + head;
        const weight = Math.exp(weights[j]! - top);
        total += weight;
        for (let d = 0; d < headDim; d += 1) sum[d]! += weight * vCache[value + d]!;
      }
      for (let d = 0; d < headDim; d += 1) o[row + d] = sum[d]! / total;
    }
  }
  return o;
}
