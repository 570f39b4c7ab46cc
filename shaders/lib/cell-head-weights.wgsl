// cell-head-weights: the weight of each head: of the first n0, which always run, and of the routed ones, 0 if not
// chosen; a: routed weights, b: scores of the first, c: their balance [tokens, 2], both unless n2 is 0; n1 places
// (MoH, arXiv:2410.11842).
//
// parts   params, the inputs a, b, c, ids
fn cell(t: u32, i: u32) -> f32 {
  var balance = vec2<f32>(1.0, 1.0);
  var own = 1.0;
  if (params.n2 != 0u) {
    let x = c[2u * t];
    let y = c[2u * t + 1u];
    let first = 1.0 / (1.0 + exp(y - x));
    balance = 2.0 * vec2<f32>(first, 1.0 - first);
  }
  if (i < params.n0) {
    if (params.n2 != 0u) {
      var largest = b[t * params.n0];
      for (var j = 1u; j < params.n0; j += 1u) {
        largest = max(largest, b[t * params.n0 + j]);
      }
      var sum = 0.0;
      for (var j = 0u; j < params.n0; j += 1u) {
        sum += exp(b[t * params.n0 + j] - largest);
      }
      own = f32(params.n0) * exp(b[t * params.n0 + i] - largest) / sum;
    }
    return own * balance.x;
  }
  var weight = 0.0;
  for (var r = 0u; r < params.n1; r += 1u) {
    if (ids[t * params.n1 + r] == i - params.n0) {
      weight = a[t * params.n1 + r];
    }
  }
  return weight * balance.y;
}
