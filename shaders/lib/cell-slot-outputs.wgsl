// cell-slot-outputs: sum over the slots of softmax(a[t, slot]) times the output b of the slot in the row of the
// sequence; n0 slots.
//
// parts   params, the inputs a, b, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn cell(t: u32, i: u32) -> f32 {
  let row = sequence_of(t);
  var largest = a[t * params.n0];
  for (var slot = 1u; slot < params.n0; slot += 1u) {
    largest = max(largest, a[t * params.n0 + slot]);
  }
  var sum = 0.0;
  var value = 0.0;
  for (var slot = 0u; slot < params.n0; slot += 1u) {
    let share = exp(a[t * params.n0 + slot] - largest);
    sum += share;
    value += share * b[(row * params.n0 + slot) * params.cols + i];
  }
  return value / sum;
}
