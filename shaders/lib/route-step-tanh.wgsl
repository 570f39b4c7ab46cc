// route-step-tanh: v = tanh(v), whose exponentials overflow beyond 20.
fn step_tanh(lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = tanh(clamp(value, -20.0, 20.0));
    }
  }
}
