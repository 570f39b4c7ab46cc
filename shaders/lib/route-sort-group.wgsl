// route-sort-group: the order of a row: every expert counts those before it, which needs no sort and few barriers.
//
// parts   const LANE_CAPACITY: experts of a lane; fn rank_of (lib/route-rank-*.wgsl); lib/route-rows-group.wgsl
const NO_RANK = 0xffffffffu;

var<private> ranks: array<u32, LANE_CAPACITY>;

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
