// cell-concat: the columns of a, then those of b; n0 columns of a.
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  if (i < params.n0) {
    return a[t * params.n0 + i];
  }
  let other = params.cols - params.n0;
  return b[t * other + i - params.n0];
}
