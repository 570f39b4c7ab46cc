// cell-multiply: act(a) * b; n0: the activation.
//
// parts   params, the inputs a, b, fn act (lib/cell-activation.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let at = t * params.cols + i;
  return act(params.n0, a[at]) * b[at];
}
