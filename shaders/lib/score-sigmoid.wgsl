// score-sigmoid: a = 1 / (1 + exp(-logit)), with exponentials of at most 1.
fn score(logit: f32) -> f32 {
  let small = exp(-abs(logit));
  return select(small, 1.0, logit >= 0.0) / (1.0 + small);
}
