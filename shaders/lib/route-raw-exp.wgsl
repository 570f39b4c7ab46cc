// route-raw-exp: the raw weight is exp(a), at most exp(80), which is finite.
fn raw_weight(token: u32, entry: u32) -> f32 {
  return exp(min(affinity_at(expert_of(entry)), 80.0));
}
