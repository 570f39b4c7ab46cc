/** Sizes of the latents of multi-head latent attention, and the rotation of their shared keys. */
export interface LatentOptions {
  readonly tokens: number;
  readonly past: number;
  readonly rank: number; // of the latents
  readonly rotary: number;
  readonly style: 'half' | 'pair';
}

/**
 * y[t, h, :] = (weight[h] q[t, h, : nope], rotate(q[t, h, nope :])) (DeepSeek-V2, arXiv:2405.04434)
 *
 * q [tokens, heads, nope + rotary], weight [heads * rank, nope], angles [positions, rotary / 2, (cos, sin)]
 * -> y [tokens, heads, rank + rotary]
 */
export function latentQueryReference(
  q: Float32Array,
  weight: Float32Array,
  angles: Float32Array,
  options: LatentOptions & { readonly heads: number; readonly nope: number },
): Float32Array<ArrayBuffer> {
  const { tokens, past, rank, rotary, heads, nope } = options;
  const y = new Float32Array(tokens * heads * (rank + rotary));
  for (let row = 0; row < tokens * heads; row += 1) {
    const from = row * (nope + rotary);
    const to = row * (rank + rotary);
    for (let e = 0; e < rank; e += 1) {
      const base = ((row % heads) * rank + e) * nope;
      let sum = 0;
      for (let i = 0; i < nope; i += 1) sum += weight[base + i]! * q[from + i]!;
      y[to + e] = sum;
    }
    const turns = angles.subarray((past + Math.floor(row / heads)) * rotary);
    y.set(rotated(q.subarray(from + nope, from + nope + rotary), turns, options), to + rank);
  }
  return y;
}

/**
 * (x[t, : rank] / sqrt(mean(x[t, : rank]^2) + eps) * gain, rotate(x[t, rank :]))
 *
 * x [tokens, rank + rotary], gain [rank] -> [tokens, rank + rotary]: the cache's rows from `past` on
 */
export function latentKeysReference(
  x: Float32Array,
  gain: Float32Array,
  angles: Float32Array,
  options: LatentOptions & { readonly eps: number },
): Float32Array<ArrayBuffer> {
  const { tokens, past, rank, rotary, eps } = options;
  const rows = new Float32Array(tokens * (rank + rotary));
  for (let t = 0; t < tokens; t += 1) {
    const at = t * (rank + rotary);
    let squares = 0;
    for (let e = 0; e < rank; e += 1) squares += x[at + e]! ** 2;
    const factor = 1 / Math.sqrt(squares / rank + eps);
    for (let e = 0; e < rank; e += 1) rows[at + e] = x[at + e]! * factor * gain[e]!;
    const turns = angles.subarray((past + t) * rotary);
    rows.set(rotated(x.subarray(at + rank, at + rank + rotary), turns, options), at + rank);
  }
  return rows;
}

/**
 * y[t, h, d] = weight[h, d, :] . o[t, h, : rank]
 *
 * o [tokens, heads, rank + rotary], weight [heads * dims, rank] -> y [tokens, heads, dims]
 */
export function latentValuesReference(
  o: Float32Array,
  weight: Float32Array,
  {
    tokens,
    heads,
    dims,
    rank,
    rotary,
  }: Pick<LatentOptions, 'tokens' | 'rank' | 'rotary'> & { readonly heads: number; readonly dims: number },
): Float32Array<ArrayBuffer> {
  const y = new Float32Array(tokens * heads * dims);
  for (let row = 0; row < tokens * heads; row += 1) {
    const from = row * (rank + rotary);
    for (let d = 0; d < dims; d += 1) {
      const base = ((row % heads) * dims + d) * rank;
      let sum = 0;
      for (let e = 0; e < rank; e += 1) sum += weight[base + e]! * o[from + e]!;
      y[row * dims + d] = sum;
    }
  }
  return y;
}

function rotated(
  x: Float32Array,
  turns: Float32Array,
  { rotary, style }: Pick<LatentOptions, 'rotary' | 'style'>,
): Float64Array {
  const y = Float64Array.from(x);
  const pairs = rotary / 2;
  for (let i = 0; i < pairs; i += 1) {
    const [first, second] = style === 'half' ? [i, i + pairs] : [2 * i, 2 * i + 1];
    const [a, b, cos, sin] = [x[first]!, x[second]!, turns[2 * i]!, turns[2 * i + 1]!];
    y[first] = a * cos - b * sin;
    y[second] = b * cos + a * sin;
  }
  return y;
}
