// team (workgroup memory): the sum over the lanes of a workgroup, in every lane. Tree reduction in a fixed order.
// needs  alias Acc; WG a power of two; called in uniform control flow by every lane
var<workgroup> team_scratch: array<Acc, WG>;

fn team_sum(sums: Acc, lane: u32) -> Acc {
  team_scratch[lane] = sums;
  workgroupBarrier();
  for (var stride = WG / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      team_scratch[lane] += team_scratch[lane + stride];
    }
    workgroupBarrier();
  }
  return team_scratch[0];
}
