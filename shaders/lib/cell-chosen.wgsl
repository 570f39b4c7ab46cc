// cell-chosen: a [tokens, n0] of the experts that a token chose, 0 where there is none.
//
// parts   params, the input a, ids
fn cell(t: u32, i: u32) -> f32 {
  let e = ids[t * params.cols + i];
  if (e >= params.n0) {
    return 0.0;
  }
  return a[t * params.n0 + e];
}
