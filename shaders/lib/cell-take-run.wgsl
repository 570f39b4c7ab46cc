// cell-take-run: a, b or c by the number, 0 to 2, of the largest of d [tokens, n0].
//
// parts   params, the inputs a, b, c, d
fn cell(t: u32, i: u32) -> f32 {
  var best = 0u;
  for (var j = 1u; j < params.n0; j += 1u) {
    if (d[t * params.n0 + j] > d[t * params.n0 + best]) {
      best = j;
    }
  }
  let at = t * params.cols + i;
  return select(select(c[at], b[at], best == 1u), a[at], best == 0u);
}
