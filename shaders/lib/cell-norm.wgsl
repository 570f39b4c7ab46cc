// cell-norm: the norm of a times b, plus c if n1 is not 0; n0: 0 root mean square, 1 layer; f0: epsilon.
//
// parts   params, the inputs a, b, c
fn cell(t: u32, i: u32) -> f32 {
  var mean = 0.0;
  if (params.n0 == 1u) {
    for (var j = 0u; j < params.cols; j += 1u) {
      mean += a[t * params.cols + j];
    }
    mean /= f32(params.cols);
  }
  var squares = 0.0;
  for (var j = 0u; j < params.cols; j += 1u) {
    let value = a[t * params.cols + j] - mean;
    squares += value * value;
  }
  let scale = inverseSqrt(squares / f32(params.cols) + params.f0);
  let normed = (a[t * params.cols + i] - mean) * scale * b[i];
  if (params.n1 == 0u) {
    return normed;
  }
  return normed + c[i];
}
