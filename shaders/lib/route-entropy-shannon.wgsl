// route-entropy-shannon: - sum of a log a.
fn row_entropy(lane: u32) -> f32 {
  var sum = 0.0;
  for (var e = lane; e < params.scored; e += STRIDE) {
    let affinity = affinity_at(e);
    if (affinity > 0.0) {
      sum -= affinity * log(affinity);
    }
  }
  return row_sum(sum, lane);
}
