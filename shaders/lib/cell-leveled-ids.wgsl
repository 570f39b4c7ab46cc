// cell-leveled-ids: id * n1 + the level with the largest a [tokens, n0, n1] of the expert, the lower one of equal
// ones.
//
// parts   params, the input a, ids
fn cell(t: u32, i: u32) -> f32 {
  let e = ids[t * params.cols + i];
  if (e >= params.n0) {
    return f32(params.n0 * params.n1);
  }
  let first = (t * params.n0 + e) * params.n1;
  var best = 0u;
  for (var level = 1u; level < params.n1; level += 1u) {
    if (a[first + level] > a[first + best]) {
      best = level;
    }
  }
  return f32(e * params.n1 + best);
}
