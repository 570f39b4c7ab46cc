// route-drop-below-ratio: removes entries after the first with an affinity below ratio times that of the first.
//
// parts   fn protection_of(token) (lib/route-protect-*.wgsl): 1: nothing is removed, 2: all is removed
fn drop_below_ratio(token: u32, count: u32, ratio: f32) -> u32 {
  let protection = protection_of(token);
  if (count == 0u || protection == 1u) {
    return count;
  }
  if (protection == 2u) {
    return 0u;
  }
  let least = ratio * affinity_at(expert_of(slots[0]));
  var kept = 1u;
  for (var at = 1u; at < count; at += 1u) {
    let entry = slots[at];
    if (affinity_at(expert_of(entry)) >= least) {
      slots[kept] = entry;
      kept += 1u;
    }
  }
  return kept;
}
