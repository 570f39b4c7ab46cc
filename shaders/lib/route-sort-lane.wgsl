// route-sort-lane: the order of a row, which is scanned once for each entry.
//
// parts   fn precedes (lib/route-order-*.wgsl); lib/route-rows-lane.wgsl
// The first expert after `last`, or params.scored; all experts are after params.scored.
fn next_expert(last: u32) -> u32 {
  var best = params.scored;
  for (var e = 0u; e < params.scored; e += 1u) {
    let value = selection[e];
    if (!is_live(value) || (last < params.scored && !precedes(selection[last], last, value, e))) {
      continue;
    }
    if (best == params.scored || precedes(value, e, selection[best], best)) {
      best = e;
    }
  }
  return best;
}

// Puts the entries of the first `limit` experts in order; returns how many there are.
fn sort_row(lane: u32, limit: u32) -> u32 {
  var last = params.scored;
  for (var rank = 0u; rank < limit; rank += 1u) {
    last = next_expert(last);
    if (last == params.scored) {
      return rank;
    }
    slots[rank] = entry_of(rank, last);
  }
  return limit;
}
