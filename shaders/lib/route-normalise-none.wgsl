// route-normalise-none: raw weights are not normalised.
fn normaliser(token: u32, count: u32) -> Outcome {
  return Outcome(count, 0.0, 1.0);
}

fn share(raw: f32) -> f32 {
  return raw;
}
