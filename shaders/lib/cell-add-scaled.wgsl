// cell-add-scaled: a + b * c[t, n0], c [tokens, n1].
//
// parts   params, the inputs a, b, c
fn cell(t: u32, i: u32) -> f32 {
  let at = t * params.cols + i;
  return a[at] + b[at] * c[t * params.n1 + params.n0];
}
