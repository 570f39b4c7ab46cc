// cell-slot-inputs: in the row of each sequence, the inputs of its slots: sum over the tokens u of softmax_u(a[u,
// slot]) b[u, column]; n0 slots, n1 columns (Soft MoE, arXiv:2308.00951).
//
// parts   params, the inputs a, b, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  if (t >= params.sequences) {
    return 0.0;
  }
  let own = vec2<u32>(first_token(t), first_token(t + 1u));
  let slot = i / params.n1;
  var largest = LOWEST;
  for (var u = own.x; u < own.y; u += 1u) {
    largest = max(largest, a[u * params.n0 + slot]);
  }
  var sum = 0.0;
  var value = 0.0;
  for (var u = own.x; u < own.y; u += 1u) {
    let share = exp(a[u * params.n0 + slot] - largest);
    sum += share;
    value += share * b[u * params.n1 + i % params.n1];
  }
  return value / sum;
}
