// cell-repeat-rows: a [tokens, n0] times b[t, place], once for each place.
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  let place = t * (params.cols / params.n0) + i / params.n0;
  return b[place] * a[t * params.n0 + i % params.n0];
}
