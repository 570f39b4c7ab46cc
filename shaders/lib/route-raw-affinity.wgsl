// route-raw-affinity: the raw weight is the affinity.
fn raw_weight(token: u32, entry: u32) -> f32 {
  return affinity_at(expert_of(entry));
}
