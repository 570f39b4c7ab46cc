// cell-softmax: the softmax of n0 consecutive columns of a that column i is in.
//
// parts   params, the input a
fn cell(t: u32, i: u32) -> f32 {
  let first = t * params.cols + i / params.n0 * params.n0;
  var largest = a[first];
  for (var j = 1u; j < params.n0; j += 1u) {
    largest = max(largest, a[first + j]);
  }
  var sum = 0.0;
  for (var j = 0u; j < params.n0; j += 1u) {
    sum += exp(a[first + j] - largest);
  }
  return exp(a[t * params.cols + i] - largest) / sum;
}
