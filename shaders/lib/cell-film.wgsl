// cell-film: sum over the places of the weight b times (gamma a + beta) of the expert; c: gamma, d: beta (Perez et al.
// 2018); n0 places, n1 experts.
//
// parts   params, the inputs a, b, c, d, ids
fn cell(t: u32, i: u32) -> f32 {
  var sum = 0.0;
  for (var r = 0u; r < params.n0; r += 1u) {
    let place = t * params.n0 + r;
    let e = ids[place];
    if (e < params.n1) {
      sum += b[place] * (c[e * params.cols + i] * a[t * params.cols + i] + d[e * params.cols + i]);
    }
  }
  return sum;
}
