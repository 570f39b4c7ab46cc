// route-order-groups: the expert with the largest selection value of each of params.limit equal groups, in their order.
fn order_entries(token: u32, lane: u32) -> u32 {
  let size = params.scored / params.limit;
  var count = 0u;
  if (lane == 0u) {
    // The entry of a group replaces a value of this or an earlier group, which have been read.
    for (var g = 0u; g < params.limit; g += 1u) {
      let best = best_of(g * size, size);
      if (best < params.scored) {
        slots[count] = entry_of(count, best);
        count += 1u;
      }
    }
  }
  sync();
  return count;
}

fn best_of(start: u32, size: u32) -> u32 {
  var best = params.scored;
  var largest = MASKED;
  for (var e = start; e < start + size; e += 1u) {
    let value = selection_at(e);
    if (is_live(value) && value > largest) {
      best = e;
      largest = value;
    }
  }
  return best;
}
