// route-by-logits: logits are compared.
fn compared_value(token: u32, e: u32) -> f32 {
  return logit_at(token, e);
}
