// route-cut-ranks: the entries of given ranks, in the order given; ranks beyond the last entry are left out.
//
// parts   const RANKS (at most 64), RANKS_VECTOR: the first elements of that row of the vectors are the ranks
var<private> picked: array<u32, RANKS>;

fn prepare_cut(token: u32, lane: u32) {
}

fn cut(token: u32, available: u32) -> u32 {
  var count = 0u;
  for (var at = 0u; at < RANKS; at += 1u) {
    let rank = u32(vector_at(RANKS_VECTOR, at));
    if (rank < available) {
      picked[count] = entry_of(at, expert_of(slots[rank]));
      count += 1u;
    }
  }
  for (var at = 0u; at < count; at += 1u) {
    slots[at] = picked[at];
  }
  return count;
}
