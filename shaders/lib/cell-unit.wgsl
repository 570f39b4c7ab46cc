// cell-unit: a divided by its length, at least f0.
//
// parts   params, the input a
fn cell(t: u32, i: u32) -> f32 {
  var sum = 0.0;
  for (var j = 0u; j < params.cols; j += 1u) {
    let value = a[t * params.cols + j];
    sum += value * value;
  }
  return a[t * params.cols + i] / max(sqrt(sum), params.f0);
}
