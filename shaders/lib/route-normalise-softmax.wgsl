// route-normalise-softmax: exp(w - max w) / sum.
fn normaliser(token: u32, count: u32) -> Outcome {
  var largest = MASKED;
  for (var at = 0u; at < count; at += 1u) {
    largest = max(largest, raw_weight(token, slots[at]));
  }
  var sum = 0.0;
  for (var at = 0u; at < count; at += 1u) {
    sum += exp(raw_weight(token, slots[at]) - largest);
  }
  return Outcome(count, largest, sum);
}

fn share(raw: f32) -> f32 {
  return exp(raw - outcome.shift) / outcome.sum;
}
