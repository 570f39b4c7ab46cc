// cell-mix-tokens: sum over the tokens u of the sequence of b[t, u] a[u, i]; b [tokens, tokens].
//
// parts   params, the inputs a, b, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let own = bounds_of(t);
  var sum = 0.0;
  for (var u = own.x; u < own.y; u += 1u) {
    sum += b[t * params.tokens + u] * a[u * params.cols + i];
  }
  return sum;
}
