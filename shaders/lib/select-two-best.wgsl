// select-two-best: the value of a group of experts is the sum of its two best (DeepSeek-V3), or of its only one.
//
// parts   fn selection_at(e: u32) -> f32 (gate-lane.wgsl, gate-group.wgsl)
const LEAST_IN_PAIR = -1.0e38; // the sum of two masked values would overflow

fn group_worth(start: u32, size: u32) -> f32 {
  var first = MASKED;
  var second = MASKED;
  for (var e = start; e < start + size; e += 1u) {
    let value = selection_at(e);
    second = max(second, min(first, value));
    first = max(first, value);
  }
  if (size == 1u) {
    return first;
  }
  return max(first, LEAST_IN_PAIR) + max(second, LEAST_IN_PAIR);
}
