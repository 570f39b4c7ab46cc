// cell-toward-code: (1 - f0) a + f0 (q - a), q the row of b that is nearest to a; n0 rows.
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  var nearest = 0u;
  var least = -LOWEST;
  for (var row = 0u; row < params.n0; row += 1u) {
    var sum = 0.0;
    for (var j = 0u; j < params.cols; j += 1u) {
      let far = a[t * params.cols + j] - b[row * params.cols + j];
      sum += far * far;
    }
    if (sum < least) {
      least = sum;
      nearest = row;
    }
  }
  let value = a[t * params.cols + i];
  return (1.0 - params.f0) * value + params.f0 * (b[nearest * params.cols + i] - value);
}
