// rows (1), subgroup part: sums over a subgroup, and quads that one of its first four lanes gives to all.
var<private> subgroup_place: u32; // the lane's number in its subgroup

fn subgroup_sum(sums: Acc) -> Acc {
  return subgroupAdd(sums);
}

fn spread0(mine: XQuad) -> XQuad {
  return subgroupBroadcast(mine, 0u);
}

fn spread1(mine: XQuad) -> XQuad {
  return subgroupBroadcast(mine, 1u);
}

fn spread2(mine: XQuad) -> XQuad {
  return subgroupBroadcast(mine, 2u);
}

fn spread3(mine: XQuad) -> XQuad {
  return subgroupBroadcast(mine, 3u);
}
