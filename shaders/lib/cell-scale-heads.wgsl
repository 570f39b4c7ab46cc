// cell-scale-heads: a times b of its head; heads of n0 elements.
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  return a[t * params.cols + i] * b[t * (params.cols / params.n0) + i / params.n0];
}
