// route-raw-place: the raw weight is the request's, by the place of the entry among the chosen ones.
//
// parts   raw_weights [tokens, most] f32
fn raw_weight(token: u32, entry: u32) -> f32 {
  return raw_weights[token * params.most + (entry >> 16u)];
}
