// weigh-none: w = scale * value.
//
// Weights are made of the values of the chosen experts in two steps: raw = raw_weight(value, largest value) of each;
// w = weight(raw, sum of raw). Unless NORMALISES, largest value and sum are not worked out.
//
// parts   params.scale
const NORMALISES = false;

fn raw_weight(value: f32, largest: f32) -> f32 {
  return value;
}

fn weight(raw: f32, sum: f32) -> f32 {
  return raw * params.scale;
}
