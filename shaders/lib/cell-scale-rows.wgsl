// cell-scale-rows: f0 * a * b[t, n0], b [tokens, n1].
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  return params.f0 * a[t * params.cols + i] * b[t * params.n1 + params.n0];
}
