// cell-interpolate: a + (1 - the sum of the weights b) * c; n0 places.
//
// parts   params, the inputs a, b, c
fn cell(t: u32, i: u32) -> f32 {
  var sum = 0.0;
  for (var r = 0u; r < params.n0; r += 1u) {
    sum += b[t * params.n0 + r];
  }
  let at = t * params.cols + i;
  return a[at] + (1.0 - sum) * c[at];
}
