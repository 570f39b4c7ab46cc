// route-step-sqrt-softplus: v = sqrt(log(1 + exp(v))).
fn step_sqrt_softplus(lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = sqrt(softplus(value));
    }
  }
}
