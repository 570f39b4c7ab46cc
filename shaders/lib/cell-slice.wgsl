// cell-slice: columns of a from n1 on; n0 columns of a.
//
// parts   params, the input a
fn cell(t: u32, i: u32) -> f32 {
  return a[t * params.n0 + params.n1 + i];
}
