// route-normalise-sum: w / (sum of w + eps), 0 if the sum is 0.
fn normaliser(token: u32, count: u32) -> Outcome {
  var sum = 0.0;
  for (var at = 0u; at < count; at += 1u) {
    sum += raw_weight(token, slots[at]);
  }
  return Outcome(count, 0.0, sum);
}

fn share(raw: f32) -> f32 {
  if (outcome.sum == 0.0) {
    return 0.0;
  }
  return raw / (outcome.sum + params.eps);
}
