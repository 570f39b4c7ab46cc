// route-times-largest: weights are multiplied by the largest affinity of the token.
//
// parts   lib/route-largest.wgsl
fn factor_of_token(lane: u32) -> f32 {
  return largest_affinity(lane);
}
