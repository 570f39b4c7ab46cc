// route-step-softmax-within: the softmax of each of `count` consecutive equal groups; a lane has whole groups.
fn step_softmax_within(lane: u32, count: f32) {
  let groups = u32(count);
  let size = params.scored / groups;
  sync();
  for (var g = lane; g < groups; g += STRIDE) {
    softmax_of_group(g * size, size);
  }
  sync();
}

fn softmax_of_group(start: u32, size: u32) {
  var largest = MASKED;
  for (var e = start; e < start + size; e += 1u) {
    largest = max(largest, row[e]);
  }
  var sum = 0.0;
  for (var e = start; e < start + size; e += 1u) {
    if (is_live(row[e])) {
      let power = exp(row[e] - largest);
      row[e] = power;
      sum += power;
    }
  }
  for (var e = start; e < start + size; e += 1u) {
    if (is_live(row[e])) {
      row[e] /= sum;
    }
  }
}
