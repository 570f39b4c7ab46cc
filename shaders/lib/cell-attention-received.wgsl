// cell-attention-received: the column sums of a [tokens, tokens], divided by the largest of the sequence.
//
// parts   params, the input a, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn received(column: u32, own: vec2<u32>) -> f32 {
  var sum = 0.0;
  for (var u = own.x; u < own.y; u += 1u) {
    sum += a[u * params.tokens + column];
  }
  return sum;
}

fn cell(t: u32, i: u32) -> f32 {
  let own = bounds_of(t);
  var largest = 0.0;
  for (var u = own.x; u < own.y; u += 1u) {
    largest = max(largest, received(u, own));
  }
  return received(t, own) / largest;
}
