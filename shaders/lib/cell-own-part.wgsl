// cell-own-part: the part of a that belongs to the place of the token in its segment of n0 tokens.
//
// parts   params, the input a, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let place = (t - bounds_of(t).x) % params.n0;
  return a[(t * params.n0 + place) * params.cols + i];
}
