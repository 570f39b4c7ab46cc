// cell-mixture: sum over j of m_j b[j, i], m the n1 largest of a [tokens, n0], divided by their sum.
//
// parts   params, the inputs a, b
fn cell(t: u32, i: u32) -> f32 {
  var sum = 0.0;
  var value = 0.0;
  for (var j = 0u; j < params.n0; j += 1u) {
    let share = a[t * params.n0 + j];
    var before = 0u;
    for (var other = 0u; other < params.n0; other += 1u) {
      let its = a[t * params.n0 + other];
      before += select(0u, 1u, its > share || (its == share && other < j));
    }
    if (before < params.n1) {
      sum += share;
      value += share * b[(t * params.n0 + j) * params.cols + i];
    }
  }
  return value / sum;
}
