// route-largest: the largest affinity of a row.
fn largest_affinity(lane: u32) -> f32 {
  var largest = MASKED;
  for (var e = lane; e < params.scored; e += STRIDE) {
    largest = max(largest, affinity_at(e));
  }
  return row_max(largest, lane);
}
