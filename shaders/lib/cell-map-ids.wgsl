// cell-map-ids: a[id] of each expert; n0 experts, whose number stands for none and becomes n1.
//
// parts   params, the input a, ids
fn cell(t: u32, i: u32) -> f32 {
  let e = ids[t * params.cols + i];
  if (e >= params.n0) {
    return f32(params.n1);
  }
  return a[e];
}
