// team (subgroups): the sum over the lanes of a workgroup, in every lane.
// Each subgroup sums; its lowest lane writes the sum to workgroup memory, and then every subgroup adds all of these in
// the same order. Correct for any mapping of lanes to subgroups; same bits on the same adapter.
// needs  alias Acc; fn subgroup_sum (lib/rows-*-subgroup.wgsl); called once, in uniform control flow, by every lane
var<workgroup> team_scratch: array<Acc, WG>;

fn team_sum(sums: Acc, lane: u32) -> Acc {
  let part = subgroup_sum(sums);
  team_scratch[lane] = Acc();
  if (lane == subgroupMin(lane)) {
    team_scratch[lane] = part;
  }
  workgroupBarrier();
  let size = subgroupAdd(1u);
  var total = Acc();
  for (var at = subgroupExclusiveAdd(1u); at < WG; at += size) {
    total += team_scratch[at];
  }
  return subgroup_sum(total);
}
