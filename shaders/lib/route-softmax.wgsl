// route-softmax: the maximum of a row, and the sum of its exponentials, over the entries that are not masked.
fn largest_live(lane: u32) -> f32 {
  var largest = MASKED;
  for (var e = lane; e < params.scored; e += STRIDE) {
    largest = max(largest, row[e]);
  }
  return row_max(largest, lane);
}

fn sum_of_powers(lane: u32, largest: f32) -> f32 {
  var sum = 0.0;
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      sum += exp(value - largest);
    }
  }
  return row_sum(sum, lane);
}
