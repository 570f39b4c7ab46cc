// cell-length: the length of the n0 columns of a from n0 * (i + n1) on; n2 columns of a.
//
// parts   params, the input a
fn cell(t: u32, i: u32) -> f32 {
  let first = t * params.n2 + params.n0 * (i + params.n1);
  var sum = 0.0;
  for (var j = 0u; j < params.n0; j += 1u) {
    sum += a[first + j] * a[first + j];
  }
  return sqrt(sum);
}
