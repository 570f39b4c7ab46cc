// cell-take-ids: the first places of the ids of a token; n0 places.
//
// parts   params, ids
fn cell(t: u32, i: u32) -> f32 {
  return f32(ids[t * params.n0 + i]);
}
