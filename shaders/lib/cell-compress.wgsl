// cell-compress: a times the mean of the vectors c of the auxiliary experts by their weights b; 1 without any; n0
// places, n1 main ones, n2 experts.
//
// parts   params, the inputs a, b, c, ids
fn cell(t: u32, i: u32) -> f32 {
  var sum = 0.0;
  var theta = 0.0;
  for (var r = params.n1; r < params.n0; r += 1u) {
    let place = t * params.n0 + r;
    if (ids[place] < params.n2) {
      sum += b[place];
      theta += b[place] * c[ids[place] * params.cols + i];
    }
  }
  let value = a[t * params.cols + i];
  return select(value, value * theta / sum, sum != 0.0);
}
