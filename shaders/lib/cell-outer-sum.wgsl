// cell-outer-sum: r_(i / n0) + c_(i mod n0), r and c the log-softmax of the halves of a, or the halves if n1 is 0.
//
// parts   params, the input a
fn part(t: u32, half: u32, at: u32) -> f32 {
  let first = (2u * t + half) * params.n0;
  let value = a[first + at];
  if (params.n1 == 0u) {
    return value;
  }
  var largest = a[first];
  for (var j = 1u; j < params.n0; j += 1u) {
    largest = max(largest, a[first + j]);
  }
  var sum = 0.0;
  for (var j = 0u; j < params.n0; j += 1u) {
    sum += exp(a[first + j] - largest);
  }
  return value - largest - log(sum);
}

fn cell(t: u32, i: u32) -> f32 {
  return part(t, 0u, i / params.n0) + part(t, 1u, i % params.n0);
}
