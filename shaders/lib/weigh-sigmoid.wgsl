// weigh-sigmoid: w = scale / (1 + exp(-logit)), with exponentials of at most 1.
//
// parts   params.scale
const NORMALISES = false;

fn raw_weight(value: f32, largest: f32) -> f32 {
  let small = exp(-abs(value));
  return select(small, 1.0, value >= 0.0) / (1.0 + small);
}

fn weight(raw: f32, sum: f32) -> f32 {
  return raw * params.scale;
}
