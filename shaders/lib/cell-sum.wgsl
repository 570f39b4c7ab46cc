// cell-sum: f0 * a + f1 * b.
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  let at = t * params.cols + i;
  return params.f0 * a[at] + params.f1 * b[at];
}
