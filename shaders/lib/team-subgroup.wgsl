// team (subgroups): the sum over the lanes of a workgroup, in every lane.
// Subgroups add up among themselves; the lowest lane of each leaves its sum in workgroup memory, and then every
// subgroup adds up all of them alike. Right for any mapping of lanes to subgroups, and the same bits on the same
// adapter.
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
