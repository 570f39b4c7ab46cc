// select-max: the value of a group of experts is that of its best expert.
//
// parts   fn selection_at(e: u32) -> f32 (gate-lane.wgsl, gate-group.wgsl)
fn group_worth(start: u32, size: u32) -> f32 {
  var first = MASKED;
  for (var e = start; e < start + size; e += 1u) {
    first = max(first, selection_at(e));
  }
  return first;
}
