/** 1 / (1 + exp(-x)) */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** x * sigmoid(x) */
export function silu(x: number): number {
  return x * sigmoid(x);
}

/** log(1 + exp(x)), for any x. */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
