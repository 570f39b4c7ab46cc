// route-step-softmax: v = exp(v - max v) / sum.
//
// parts   lib/route-softmax.wgsl
fn step_softmax(lane: u32) {
  let largest = largest_live(lane);
  let sum = sum_of_powers(lane, largest);
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      row[e] = exp(value - largest) / sum;
    }
  }
}
