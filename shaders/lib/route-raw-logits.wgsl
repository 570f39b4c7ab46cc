// route-raw-logits: the raw weight is the logit.
fn raw_weight(token: u32, entry: u32) -> f32 {
  return logit_at(token, expert_of(entry));
}
