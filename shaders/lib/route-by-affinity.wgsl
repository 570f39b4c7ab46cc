// route-by-affinity: affinities are compared.
fn compared_value(token: u32, e: u32) -> f32 {
  return row[e];
}
