// cell-activate: act(a) times f0; n0: the activation.
//
// parts   params, the input a, fn act (lib/cell-activation.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  return params.f0 * act(params.n0, a[t * params.cols + i]);
}
