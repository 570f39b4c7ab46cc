// route-entropy-powers: the sum of a^q over the affinities, q = params.entropy_index.
fn sum_of_affinity_powers(lane: u32) -> f32 {
  var sum = 0.0;
  for (var e = lane; e < params.scored; e += STRIDE) {
    let affinity = affinity_at(e);
    if (affinity > 0.0) {
      sum += pow(affinity, params.entropy_index);
    }
  }
  return row_sum(sum, lane);
}
