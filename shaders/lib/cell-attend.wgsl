// cell-attend: attention within the sequence: a: q, b: k, c: v of heads of n0 elements; head h reads head h mod n1 of
// k and v if n2 is 1, else head h / (heads / n1); n3: 1 causal; f0: the scale.
//
// parts   params, the inputs a, b, c, fn bounds_of(t) (lib/cell-sequences.wgsl)
fn score_of(query: u32, key: u32) -> f32 {
  var score = 0.0;
  for (var j = 0u; j < params.n0; j += 1u) {
    score += a[query + j] * b[key + j];
  }
  return params.f0 * score;
}

fn cell(t: u32, i: u32) -> f32 {
  let own = bounds_of(t);
  let heads = params.cols / params.n0;
  let head = i / params.n0;
  let other = select(head / (heads / params.n1), head % params.n1, params.n2 == 1u);
  let width = params.n1 * params.n0;
  let end = select(own.y, t + 1u, params.n3 == 1u);
  let query = t * params.cols + head * params.n0;
  var largest = LOWEST;
  for (var u = own.x; u < end; u += 1u) {
    largest = max(largest, score_of(query, u * width + other * params.n0));
  }
  var sum = 0.0;
  var value = 0.0;
  for (var u = own.x; u < end; u += 1u) {
    let key = u * width + other * params.n0;
    let share = exp(score_of(query, key) - largest);
    sum += share;
    value += share * c[key + i % params.n0];
  }
  return value / sum;
}
