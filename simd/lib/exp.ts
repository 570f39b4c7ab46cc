/** exp and the activations of experts, for four lanes. */
import { madd } from './vector';

const LOG2_E: f32 = 1.44269504;
const LN2_HIGH: f32 = 0.693359375; // few bits: products with whole numbers are exact
const LN2_LOW: f32 = -2.1219444e-4;

/** e^x to about 1e-7 of itself: 2^n times the polynomial of Cephes' expf. 0 below -87, and at most e^88. */
export function exp4(x: v128): v128 {
  const isTiny = f32x4.lt(x, f32x4.splat(-87));
  const bounded = f32x4.min(f32x4.max(x, f32x4.splat(-87)), f32x4.splat(88));
  const n = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(LOG2_E)));
  let r = f32x4.sub(bounded, f32x4.mul(n, f32x4.splat(LN2_HIGH)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(LN2_LOW)));
  let p = madd(r, f32x4.splat(1.98756915e-4), f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(p, power), isTiny);
}

/** 1 / (1 + e^-x) */
export function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

/** The activation of code `act`: src/kernels/core/activation.reference.ts. */
export function activate4(act: u32, x: v128): v128 {
  if (act == 0) return f32x4.mul(x, sigmoid4(x));
  if (act == 1) return f32x4.mul(x, sigmoid4(geluAngle(x)));
  if (act == 2) return gelu(x);
  const positive = f32x4.max(x, f32x4.splat(0));
  return act == 3 ? positive : f32x4.mul(positive, positive);
}

/** The combination of gate and up of code `act`: src/kernels/core/activation.reference.ts. */
export function gated4(act: u32, gate: v128, up: v128): v128 {
  if (act != 5) return f32x4.mul(activate4(act, gate), up);
  const limit = f32x4.splat(7);
  const near = f32x4.min(gate, limit);
  const raised = f32x4.max(f32x4.min(up, limit), f32x4.splat(-7));
  const open = f32x4.mul(near, sigmoid4(f32x4.mul(near, f32x4.splat(1.702))));
  return f32x4.mul(f32x4.add(raised, f32x4.splat(1)), open);
}

/** 2 sqrt(2 / pi) (x + 0.044715 x^3): 0.5 (1 + tanh(u)) is sigmoid(2 u). */
// @ts-ignore: decorator
@inline
function geluAngle(x: v128): v128 {
  const inner = madd(f32x4.mul(x, x), f32x4.splat(0.044715), f32x4.splat(1));
  return f32x4.mul(f32x4.mul(x, inner), f32x4.splat(1.5957691216));
}

/**
 * 0.5 x erfc(-x / sqrt(2)), with the fit of "Numerical Recipes in C", 6.2: for z >= 0, erfc(z) = t e^(-z^2 + P(t)) to 1.2e-7
 * of itself, t = 1 / (1 + z / 2).
 */
function gelu(x: v128): v128 {
  const z = f32x4.mul(f32x4.abs(x), f32x4.splat(0.70710678));
  const t = f32x4.div(f32x4.splat(1), madd(z, f32x4.splat(0.5), f32x4.splat(1)));
  let p = madd(t, f32x4.splat(0.17087277), f32x4.splat(-0.82215223));
  p = madd(p, t, f32x4.splat(1.48851587));
  p = madd(p, t, f32x4.splat(-1.13520398));
  p = madd(p, t, f32x4.splat(0.27886807));
  p = madd(p, t, f32x4.splat(-0.18628806));
  p = madd(p, t, f32x4.splat(0.09678418));
  p = madd(p, t, f32x4.splat(0.37409196));
  p = madd(p, t, f32x4.splat(1.00002368));
  p = madd(p, t, f32x4.splat(-1.26551223));
  const tail = f32x4.mul(t, exp4(f32x4.sub(p, f32x4.mul(z, z)))); // erfc(|x| / sqrt(2))
  const isNegative = f32x4.lt(x, f32x4.splat(0));
  const erfc = v128.bitselect(tail, f32x4.sub(f32x4.splat(2), tail), isNegative);
  return f32x4.mul(f32x4.mul(x, f32x4.splat(0.5)), erfc);
}
