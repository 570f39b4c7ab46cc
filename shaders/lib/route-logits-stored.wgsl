// route-logits-stored: the logits are kept beside the row.
//
// parts   var logit_row: array<f32, CAPACITY> (lib/route-logits-group.wgsl, lib/route-logits-lane.wgsl)
fn keep_logits(lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    logit_row[e] = row[e];
  }
}

fn logit_at(token: u32, e: u32) -> f32 {
  return logit_row[e];
}
