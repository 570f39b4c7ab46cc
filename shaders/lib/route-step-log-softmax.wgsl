// route-step-log-softmax: v = v - max v - log(sum of exp(v - max v)).
//
// parts   lib/route-softmax.wgsl
fn step_log_softmax(lane: u32) {
  let largest = largest_live(lane);
  let log_sum = log(sum_of_powers(lane, largest));
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = value - largest - log_sum;
    }
  }
}
