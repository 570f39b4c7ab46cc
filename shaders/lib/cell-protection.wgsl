// cell-protection: 1 for the share f0 of the tokens of a sequence with the largest a, 2 for the share f1 with the
// smallest, else 0.
//
// parts   params, the input a, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let own = bounds_of(t);
  var above = 0u;
  var below = 0u;
  for (var u = own.x; u < own.y; u += 1u) {
    above += select(0u, 1u, a[u] > a[t] || (a[u] == a[t] && u < t));
    below += select(0u, 1u, a[u] < a[t] || (a[u] == a[t] && u < t));
  }
  let count = f32(own.y - own.x);
  if (f32(above) < floor(params.f0 * count)) {
    return 1.0;
  }
  return select(0.0, 2.0, f32(below) < floor(params.f1 * count));
}
