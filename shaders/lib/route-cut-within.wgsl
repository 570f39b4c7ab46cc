// route-cut-within: entries whose cumulative selection value is at most p.
fn cut_by_sum(token: u32, available: u32) -> u32 {
  var sum = 0.0;
  for (var at = 0u; at < available; at += 1u) {
    sum += selection_of(token, expert_of(slots[at]));
    if (sum > params.p) {
      return at;
    }
  }
  return available;
}
