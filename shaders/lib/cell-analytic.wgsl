// cell-analytic: abs(c * silu(g)), c and g the halves of a (CMoE, arXiv:2502.04416).
//
// parts   params, the input a, fn act (lib/cell-activation.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let row = t * 2u * params.cols;
  return abs(a[row + i] * act(0u, a[row + params.cols + i]));
}
