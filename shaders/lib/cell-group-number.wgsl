// cell-group-number: i / n0 as an id.
//
// parts   params
fn cell(t: u32, i: u32) -> f32 {
  return f32(i / params.n0);
}
