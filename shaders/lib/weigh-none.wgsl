// weigh-none: w = scale * value.
//
// The weights of the chosen experts are computed in two steps: raw = raw_weight(value, largest value) of each;
// w = weight(raw, sum of raw). Unless NORMALISES, the largest value and the sum are not computed.
//
// parts   params.scale
const NORMALISES = false;

fn raw_weight(value: f32, largest: f32) -> f32 {
  return value;
}

fn weight(raw: f32, sum: f32) -> f32 {
  return raw * params.scale;
}
