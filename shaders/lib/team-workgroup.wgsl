// team (workgroup memory): the sum over the LANES lanes of a team, in its first lane. Halving tree: a fixed order.
// needs  LANES a power of two that divides WG; called in uniform control flow by every lane
var<workgroup> team_scratch: array<Acc, WG>;

fn team_sum(sums: Acc, lane: u32) -> Acc {
  team_scratch[lane] = sums;
  workgroupBarrier();
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    if (lane % LANES < stride) {
      team_scratch[lane] += team_scratch[lane + stride];
    }
    workgroupBarrier();
  }
  let total = team_scratch[lane / LANES * LANES];
  workgroupBarrier(); // before the next call writes the scratch
  return total;
}

// The lane's number in its team.
fn team_place(lane: u32) -> u32 {
  return lane % LANES;
}
