// cell-constant: f0.
//
// parts   params
fn cell(t: u32, i: u32) -> f32 {
  return params.f0;
}
