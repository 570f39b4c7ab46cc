/** exp(slope[h] * softplus(x[t, h])): x [tokens, heads], slope [heads] -> [tokens, heads] */
export function keyBiasReference(x: Float32Array, slope: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(x, (value, at) => Math.exp(slope[at % slope.length]! * softplus(value)));
}

/** log(1 + e^x) */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
