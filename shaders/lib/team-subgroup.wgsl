// team (subgroups): the sum over the lanes of a workgroup that is one team, in every lane.
// Subgroups add up among themselves; the lowest lane of each leaves its sum in workgroup memory, and then every subgroup
// adds up all of them alike. Right for any mapping of lanes to subgroups, and the same bits on the same adapter.
// needs  LANES = WG; fn sum_acc (lib/rows-*.wgsl); called in uniform control flow by every lane
var<workgroup> team_scratch: array<Acc, WG>;

fn team_sum(sums: Acc, lane: u32) -> Acc {
  let part = subgroup_sum(sums);
  team_scratch[lane] = part;
  let is_lowest = lane == subgroupMin(lane);
  if (!is_lowest) {
    team_scratch[lane] = Acc();
  }
  workgroupBarrier();
  let size = subgroupAdd(1u);
  var total = Acc();
  for (var at = subgroupExclusiveAdd(1u); at < WG; at += size) {
    total += team_scratch[at];
  }
  total = subgroup_sum(total);
  workgroupBarrier(); // before the next call writes the scratch
  return total;
}

// The lane's number in its team.
fn team_place(lane: u32) -> u32 {
  return lane;
}
