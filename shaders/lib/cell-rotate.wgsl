// cell-rotate: rotary positions of heads of n0 elements, of which n1 turn; n2: 0 halves, 1 pairs; f0: the base.
//
// parts   params, the input a, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let head = i / params.n0 * params.n0;
  let at = i - head;
  if (at >= params.n1) {
    return a[t * params.cols + i];
  }
  let pairs = params.n1 / 2u;
  var pair = at % pairs;
  var isSecond = at >= pairs;
  var first = head + pair;
  var second = first + pairs;
  if (params.n2 == 1u) {
    pair = at / 2u;
    isSecond = at % 2u == 1u;
    first = head + 2u * pair;
    second = first + 1u;
  }
  let position = f32(t - bounds_of(t).x);
  let angle = position * pow(params.f0, -2.0 * f32(pair) / f32(params.n1));
  let x = a[t * params.cols + first];
  let y = a[t * params.cols + second];
  return select(x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle), isSecond);
}
