// cell-two-level: p of the group of i times the share of i in its group; a: p [tokens, n0], b: members [tokens, cols].
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  let size = params.cols / params.n0;
  let own = i / size;
  let first = t * params.cols + own * size;
  var largest = b[first];
  for (var j = 1u; j < size; j += 1u) {
    largest = max(largest, b[first + j]);
  }
  var sum = 0.0;
  for (var j = 0u; j < size; j += 1u) {
    sum += exp(b[first + j] - largest);
  }
  return a[t * params.n0 + own] * exp(b[t * params.cols + i] - largest) / sum;
}
