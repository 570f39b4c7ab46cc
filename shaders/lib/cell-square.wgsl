// cell-square: a squared.
//
// parts   params, the input a
fn cell(t: u32, i: u32) -> f32 {
  let value = a[t * params.cols + i];
  return value * value;
}
