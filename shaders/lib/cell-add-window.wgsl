// cell-add-window: a + b if the sequence has a window n0 of at most n1.
//
// parts   params, the inputs a, b, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let own = bounds_of(t);
  let at = t * params.cols + i;
  return a[at] + select(0.0, b[at], params.n0 < min(params.n1, own.y - own.x));
}
