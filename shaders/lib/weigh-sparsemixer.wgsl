// weigh-sparsemixer: w = scale * exp(logit) / sum of exp(other) over the experts that are left when the expert is
// chosen (itself and those after it in order) and near it: logit - other <= eps * max(|other|, logit) (SparseMixer,
// Liu et al. 2023, as in Phi-3.5-MoE).
//
// A weighting of the whole row has fn value_of(base of the row, expert) -> f32 besides.
//
// parts   logits, params.experts, params.eps, params.scale
const NORMALISES = false;

fn value_of(base: u32, e: u32) -> f32 {
  let own = logits[base + e];
  var sum = 0.0;
  for (var at = 0u; at < params.experts; at += 1u) {
    let other = logits[base + at];
    let is_left = other < own || (other == own && at >= e);
    if (is_left && own - other <= params.eps * max(abs(other), own)) {
      sum += exp(other - own);
    }
  }
  return 1.0 / sum;
}

fn raw_weight(value: f32, largest: f32) -> f32 {
  return value;
}

fn weight(raw: f32, sum: f32) -> f32 {
  return raw * params.scale;
}
