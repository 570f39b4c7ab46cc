// cell-norm: the norm of the n2 columns of a around i times b, plus c if n1 is not 0; n0: 0 root mean square, 1 layer;
// f0: epsilon.
//
// parts   params, the inputs a, b, c
fn cell(t: u32, i: u32) -> f32 {
  let first = t * params.cols + i / params.n2 * params.n2;
  let at = i % params.n2;
  var mean = 0.0;
  if (params.n0 == 1u) {
    for (var j = 0u; j < params.n2; j += 1u) {
      mean += a[first + j];
    }
    mean /= f32(params.n2);
  }
  var squares = 0.0;
  for (var j = 0u; j < params.n2; j += 1u) {
    let value = a[first + j] - mean;
    squares += value * value;
  }
  let scale = inverseSqrt(squares / f32(params.n2) + params.f0);
  let normed = (a[first + at] - mean) * scale * b[at];
  if (params.n1 == 0u) {
    return normed;
  }
  return normed + c[at];
}
