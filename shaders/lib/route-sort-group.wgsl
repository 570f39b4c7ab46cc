// route-sort-group: the order of a row: every expert counts those before it, which needs no sort and few barriers.
//
// parts   const LANE_CAPACITY: experts of a lane; fn precedes (lib/route-order-*.wgsl); lib/route-rows-group.wgsl
const NO_RANK = 0xffffffffu;

var<private> ranks: array<u32, LANE_CAPACITY>;

// How many experts come before e.
fn rank_of(e: u32, value: f32) -> u32 {
  var before = 0u;
  for (var other = 0u; other < params.scored; other += 1u) {
    before += select(0u, 1u, precedes(selection_at(other), other, value, e));
  }
  return before;
}

// Puts the entries of the first `limit` experts in order; returns how many there are.
fn sort_row(lane: u32, limit: u32) -> u32 {
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = selection_at(e);
    var rank = NO_RANK;
    if (is_live(value)) {
      atomicAdd(&live_count, 1u);
      rank = rank_of(e, value);
    }
    ranks[e / STRIDE] = rank;
  }
  workgroupBarrier();
  for (var e = lane; e < params.scored; e += STRIDE) {
    let rank = ranks[e / STRIDE];
    if (rank < limit) {
      slots[rank] = entry_of(rank, e);
    }
  }
  workgroupBarrier();
  return min(limit, atomicLoad(&live_count));
}
