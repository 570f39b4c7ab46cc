// cell-alias-weights: the sum of the weights b of all places with the same a[id], 0 in a later one of them and where
// there is none of the n0 experts.
//
// parts   params, the inputs a, b, ids
fn cell(t: u32, i: u32) -> f32 {
  let own = ids[t * params.cols + i];
  if (own >= params.n0) {
    return 0.0;
  }
  var sum = 0.0;
  for (var r = 0u; r < params.cols; r += 1u) {
    let other = ids[t * params.cols + r];
    if (other < params.n0 && a[other] == a[own]) {
      if (r < i) {
        return 0.0;
      }
      sum += b[t * params.cols + r];
    }
  }
  return sum;
}
