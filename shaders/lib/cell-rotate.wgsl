// cell-rotate: rotary positions of heads of n0 elements, of which n1 turn; n2: 0 halves, 1 pairs; b: cosines and sines
// [positions, n1 / 2, 2].
//
// parts   params, the inputs a, b, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let head = i / params.n0 * params.n0;
  let at = i - head;
  if (at >= params.n1) {
    return a[t * params.cols + i];
  }
  let pairs = params.n1 / 2u;
  var pair = at % pairs;
  var is_second = at >= pairs;
  var first = head + pair;
  var second = first + pairs;
  if (params.n2 == 1u) {
    pair = at / 2u;
    is_second = at % 2u == 1u;
    first = head + 2u * pair;
    second = first + 1u;
  }
  let angle = 2u * ((t - bounds_of(t).x) * pairs + pair);
  let x = a[t * params.cols + first];
  let y = a[t * params.cols + second];
  return select(x * b[angle] - y * b[angle + 1u], x * b[angle + 1u] + y * b[angle], is_second);
}
