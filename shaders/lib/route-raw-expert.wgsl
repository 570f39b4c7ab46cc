// route-raw-expert: the raw weight is given for each expert; null experts have none.
//
// parts   raw_weights [tokens, experts] f32
fn raw_weight(token: u32, entry: u32) -> f32 {
  let e = expert_of(entry);
  if (e >= params.experts) {
    return 0.0;
  }
  return raw_weights[token * params.experts + e];
}
