// cell-window-mean: the mean of a over window n0 of the sequence, which has at most n1 windows; the last one that
// there is otherwise.
//
// parts   params, the input a, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let own = bounds_of(t);
  let count = own.y - own.x;
  let windows = min(params.n1, count);
  let size = count / windows;
  let first = own.x + min(params.n0, windows - 1u) * size;
  var sum = 0.0;
  for (var u = first; u < first + size; u += 1u) {
    sum += a[u * params.cols + i];
  }
  return sum / f32(size);
}
