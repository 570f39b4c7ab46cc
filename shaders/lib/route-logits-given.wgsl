// route-logits-given: the logits are those of an earlier kernel.
//
// parts   given_logits [tokens, scored] f32
fn logit_at(token: u32, e: u32) -> f32 {
  return given_logits[token * params.scored + e];
}
