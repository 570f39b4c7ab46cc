// cell-alias-ids: a[id] of each expert, what is none of the n0 experts or stands in an earlier place becomes n1.
//
// parts   params, the input a, ids
fn physical(t: u32, r: u32) -> f32 {
  let e = ids[t * params.cols + r];
  if (e >= params.n0) {
    return f32(params.n1);
  }
  return a[e];
}

fn cell(t: u32, i: u32) -> f32 {
  let own = physical(t, i);
  for (var r = 0u; r < i; r += 1u) {
    if (physical(t, r) == own) {
      return f32(params.n1);
    }
  }
  return own;
}
