// cell-sparsity: f0 * Phi(a / sqrt(b + 1e-12)), Phi the normal distribution function (MoE-X, arXiv:2503.07639).
//
// parts   params, the inputs a, b, fn act (lib/cell-activation.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let at = t * params.cols + i;
  let x = a[at] / sqrt(b[at] + 1e-12);
  let tail = 0.5 * erfc_positive(min(abs(x), 10.0) * 0.70710678);
  return params.f0 * select(tail, 1.0 - tail, x >= 0.0);
}
