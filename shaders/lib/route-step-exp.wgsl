// route-step-exp: v = exp(v), at most exp(80), which is finite.
fn step_exp(lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = exp(min(value, 80.0));
    }
  }
}
