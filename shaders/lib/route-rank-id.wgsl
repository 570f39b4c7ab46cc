// route-rank-id: how many experts that are not masked have a lower id than e.
fn rank_of(e: u32, value: f32) -> u32 {
  var before = 0u;
  for (var other = 0u; other < e; other += 1u) {
    before += select(0u, 1u, is_live(selection_at(other)));
  }
  return before;
}
