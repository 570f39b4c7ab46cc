// weigh-softmax: w = scale * exp(value) / sum of exp(value) over the chosen.
//
// parts   fn scaled_share(raw: f32, sum: f32) -> f32 = scale * raw / sum (the kernel's file)
const NORMALISES = true;

fn raw_weight(value: f32, largest: f32) -> f32 {
  return exp(value - largest);
}

fn weight(raw: f32, sum: f32) -> f32 {
  return scaled_share(raw, sum);
}
