// cell-largest-of: the largest of a[t, j, i] over j < n0.
//
// parts   params, the input a
fn cell(t: u32, i: u32) -> f32 {
  var largest = a[t * params.n0 * params.cols + i];
  for (var j = 1u; j < params.n0; j += 1u) {
    largest = max(largest, a[(t * params.n0 + j) * params.cols + i]);
  }
  return largest;
}
