/**
 * act: 0 x sigmoid(x) (SiLU), 1 GELU by tanh, 2 x Phi(x) by erf (GELU, Hendrycks and Gimpel 2016), 3 max(x, 0),
 * 4 max(x, 0)^2. The codes are indices of ACTIVATIONS; others give x.
 */
export function activate(act: number, x: number): number {
  switch (act) {
    case 0:
      return x / (1 + Math.exp(-x));
    case 1:
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case 2:
      return 0.5 * x * erfc(-x / Math.SQRT2);
    case 3:
      return Math.max(x, 0);
    case 4:
      return Math.max(x, 0) ** 2;
    default:
      throw new Error(`activation ${act}`);
  }
}

/** activate(act, gate) * up; act 5: clamped SwiGLU, with limit 7 and factor 1.702 (gpt-oss, OpenAI 2025). */
export function gated(act: number, gate: number, up: number): number {
  if (act !== 5) return activate(act, gate) * up;
  const near = Math.min(gate, 7);
  return (Math.min(Math.max(up, -7), 7) + 1) * near * sigmoid(1.702 * near);
}

/** 1 / (1 + e^-x) */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** 1 - erf(x), to about 1e-15: the Maclaurin series of erf near zero, the continued fraction of erfc elsewhere. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2) return 1 - erfSeries(x);
  if (x > 27) return 0;
  let fraction = 0;
  for (let n = 60; n >= 1; n -= 1) fraction = n / 2 / (x + fraction); // erfc = e^-x^2 / sqrt(pi) / (x + 1/2/(x + ...))
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

/** erf(x) = 2 / sqrt(pi) * e^-x^2 * sum_n 2^n x^(2n+1) / (2n+1)!! : all terms positive, so nothing cancels. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > 1e-17 * sum; n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
