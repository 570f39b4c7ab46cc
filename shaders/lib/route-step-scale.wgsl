// route-step-scale: v = v * by.
fn step_scale(lane: u32, by: f32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = value * by;
    }
  }
}
