// score-identity: a = logit.
fn score(logit: f32) -> f32 {
  return logit;
}
