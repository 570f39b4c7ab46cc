// score-alone: adapts a score of single logits to the interface of scores of a whole row (score-softmax.wgsl).
//
// parts   fn score(logit: f32) -> f32 (score-sigmoid.wgsl, score-identity.wgsl, ...)
const SUMS_ROW = false;

fn row_shift(base: u32) -> f32 {
  return 0.0;
}

fn raw_score(logit: f32, shift: f32) -> f32 {
  return score(logit);
}

fn share(raw: f32, sum: f32) -> f32 {
  return raw;
}
