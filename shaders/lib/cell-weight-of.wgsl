// cell-weight-of: the weight b of expert n0, 0 if the token did not choose it; n1 places.
//
// parts   params, the input a, ids
fn cell(t: u32, i: u32) -> f32 {
  var sum = 0.0;
  for (var r = 0u; r < params.n1; r += 1u) {
    if (ids[t * params.n1 + r] == params.n0) {
      sum += a[t * params.n1 + r];
    }
  }
  return sum;
}
