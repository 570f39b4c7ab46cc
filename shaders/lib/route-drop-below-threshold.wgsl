// route-drop-below-threshold: removes entries with scale * a below the threshold of the token.
//
// parts   const THRESHOLDS_VECTOR: its first elements are the thresholds; fn kind_of(token) (lib/route-kind-*.wgsl)
fn drop_below_threshold(token: u32, count: u32, scale: f32) -> u32 {
  let threshold = vector_at(THRESHOLDS_VECTOR, kind_of(token));
  var kept = 0u;
  for (var at = 0u; at < count; at += 1u) {
    let entry = slots[at];
    if (scale * affinity_at(expert_of(entry)) >= threshold) {
      slots[kept] = entry;
      kept += 1u;
    }
  }
  return kept;
}
