// route-step-abs: v = |v|.
fn step_abs(lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = abs(value);
    }
  }
}
