// route-rank-value: how many experts come before e by descending selection value; ties go to the lower id.
fn rank_of(e: u32, value: f32) -> u32 {
  var before = 0u;
  for (var other = 0u; other < e; other += 1u) {
    before += select(0u, 1u, selection_at(other) >= value);
  }
  for (var other = e + 1u; other < params.scored; other += 1u) {
    before += select(0u, 1u, selection_at(other) > value);
  }
  return before;
}
