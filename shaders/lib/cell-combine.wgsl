// cell-combine: sum over the places r of b[t, r] a[t, r, i], of places with an expert; n0 places, n1 experts.
//
// parts   params, the inputs a, b, ids
fn cell(t: u32, i: u32) -> f32 {
  var sum = 0.0;
  for (var r = 0u; r < params.n0; r += 1u) {
    let place = t * params.n0 + r;
    if (ids[place] < params.n1) {
      sum += b[place] * a[place * params.cols + i];
    }
  }
  return sum;
}
