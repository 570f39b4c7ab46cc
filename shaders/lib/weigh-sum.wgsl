// weigh-sum: w = scale * value / (sum + eps); 0 if the divisor is 0.
//
// parts   params.scale, params.eps
const NORMALISES = true;

fn raw_weight(value: f32, largest: f32) -> f32 {
  return value;
}

fn weight(raw: f32, sum: f32) -> f32 {
  let divisor = sum + params.eps;
  return raw * select(params.scale / divisor, 0.0, divisor == 0.0);
}
