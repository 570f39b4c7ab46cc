// route-raw-one: the raw weight is 1.
fn raw_weight(token: u32, entry: u32) -> f32 {
  return 1.0;
}
