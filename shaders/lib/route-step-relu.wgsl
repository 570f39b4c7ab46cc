// route-step-relu: v = max(v, 0).
fn step_relu(lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = max(value, 0.0);
    }
  }
}
