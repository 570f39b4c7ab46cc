// cell-nearest-code: minus the least squared distance of a to a row c of b with c mod cols = i; n0 rows, n1 wide
// (VQMoE, arXiv:2411.19402).
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  var least = -LOWEST;
  for (var row = i; row < params.n0; row += params.cols) {
    var sum = 0.0;
    for (var j = 0u; j < params.n1; j += 1u) {
      let far = a[t * params.n1 + j] - b[row * params.n1 + j];
      sum += far * far;
    }
    least = min(least, sum);
  }
  return -least;
}
