// route-drop-verdict: removes entries of ranks from at_least on whose verdict is not positive.
//
// parts   verdicts [tokens, given] f32, by place of the given ids
fn drop_verdict(token: u32, count: u32, at_least: f32) -> u32 {
  var kept = 0u;
  for (var at = 0u; at < count; at += 1u) {
    let entry = slots[at];
    if ((entry >> 16u) < u32(at_least) || verdicts[token * params.given + (entry >> 16u)] > 0.0) {
      slots[kept] = entry;
      kept += 1u;
    }
  }
  return kept;
}
