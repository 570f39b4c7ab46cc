// route-logits-scores: the logits are the scores, if no step comes before the first activation.
fn logit_at(token: u32, e: u32) -> f32 {
  return bitcast<f32>(scores[token * params.scored + e]);
}
