// route-drop-null: removes null experts, whose ids are params.experts and above.
fn drop_null(token: u32, count: u32) -> u32 {
  var kept = 0u;
  for (var at = 0u; at < count; at += 1u) {
    let entry = slots[at];
    if (expert_of(entry) < params.experts) {
      slots[kept] = entry;
      kept += 1u;
    }
  }
  return kept;
}
