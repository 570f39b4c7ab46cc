// cell-sparse-attend: attention of head h among the tokens of the sequence that chose it, up to the token itself; a:
// q, b: k, c: v of heads of n0 elements; n1 places; f0: the scale; 0 for heads that the token did not choose (MoSA,
// arXiv:2505.00315).
//
// parts   params, the inputs a, b, c, ids, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn chose(t: u32, head: u32) -> bool {
  for (var r = 0u; r < params.n1; r += 1u) {
    if (ids[t * params.n1 + r] == head) {
      return true;
    }
  }
  return false;
}

fn score_of(query: u32, key: u32) -> f32 {
  var score = 0.0;
  for (var j = 0u; j < params.n0; j += 1u) {
    score += a[query + j] * b[key + j];
  }
  return params.f0 * score;
}

fn cell(t: u32, i: u32) -> f32 {
  let own = bounds_of(t);
  let head = i / params.n0;
  if (!chose(t, head)) {
    return 0.0;
  }
  let query = t * params.cols + head * params.n0;
  var largest = LOWEST;
  for (var u = own.x; u <= t; u += 1u) {
    if (chose(u, head)) {
      largest = max(largest, score_of(query, u * params.cols + head * params.n0));
    }
  }
  var sum = 0.0;
  var value = 0.0;
  for (var u = own.x; u <= t; u += 1u) {
    if (chose(u, head)) {
      let share = exp(score_of(query, u * params.cols + head * params.n0) - largest);
      sum += share;
      value += share * c[u * params.cols + i];
    }
  }
  return value / sum;
}
