// weigh-exp: w = scale * exp(value), for values that are logarithms.
//
// parts   params.scale
const NORMALISES = false;
const LARGEST_POWER = 80.0; // values may be large; exp(80) is finite

fn raw_weight(value: f32, largest: f32) -> f32 {
  return exp(min(value, LARGEST_POWER));
}

fn weight(raw: f32, sum: f32) -> f32 {
  return raw * params.scale;
}
