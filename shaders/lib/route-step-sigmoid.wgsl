// route-step-sigmoid: v = 1 / (1 + exp(-v)), with exponentials of at most 1.
fn step_sigmoid(lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = select(exp(-abs(value)), 1.0, value >= 0.0) / (1.0 + exp(-abs(value)));
    }
  }
}
