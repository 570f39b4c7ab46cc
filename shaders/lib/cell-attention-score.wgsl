// cell-attention-score: sum over j of softmax_j(q_i k_j) v_j; a: q, k and v (Yuan 2.0-M32, arXiv:2405.17976).
//
// parts   params, the input a
fn cell(t: u32, i: u32) -> f32 {
  let row = t * 3u * params.cols;
  let query = a[row + i];
  var largest = query * a[row + params.cols];
  for (var j = 1u; j < params.cols; j += 1u) {
    largest = max(largest, query * a[row + params.cols + j]);
  }
  var sum = 0.0;
  var value = 0.0;
  for (var j = 0u; j < params.cols; j += 1u) {
    let share = exp(query * a[row + params.cols + j] - largest);
    sum += share;
    value += share * a[row + 2u * params.cols + j];
  }
  return value / sum;
}
