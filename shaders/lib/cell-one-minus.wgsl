// cell-one-minus: 1 - a.
//
// parts   params, the input a
fn cell(t: u32, i: u32) -> f32 {
  return 1.0 - a[t * params.cols + i];
}
