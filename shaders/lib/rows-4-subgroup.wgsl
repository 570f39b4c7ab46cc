// rows (4), subgroup part: as lib/rows-1-subgroup.wgsl, column by column.
var<private> subgroup_place: u32; // the lane's number in its subgroup

fn subgroup_sum(sums: Acc) -> Acc {
  return Acc(subgroupAdd(sums[0]), subgroupAdd(sums[1]), subgroupAdd(sums[2]), subgroupAdd(sums[3]));
}

fn spread0(mine: XQuad) -> XQuad {
  return XQuad(
    subgroupBroadcast(mine[0], 0u),
    subgroupBroadcast(mine[1], 0u),
    subgroupBroadcast(mine[2], 0u),
    subgroupBroadcast(mine[3], 0u),
  );
}

fn spread1(mine: XQuad) -> XQuad {
  return XQuad(
    subgroupBroadcast(mine[0], 1u),
    subgroupBroadcast(mine[1], 1u),
    subgroupBroadcast(mine[2], 1u),
    subgroupBroadcast(mine[3], 1u),
  );
}

fn spread2(mine: XQuad) -> XQuad {
  return XQuad(
    subgroupBroadcast(mine[0], 2u),
    subgroupBroadcast(mine[1], 2u),
    subgroupBroadcast(mine[2], 2u),
    subgroupBroadcast(mine[3], 2u),
  );
}

fn spread3(mine: XQuad) -> XQuad {
  return XQuad(
    subgroupBroadcast(mine[0], 3u),
    subgroupBroadcast(mine[1], 3u),
    subgroupBroadcast(mine[2], 3u),
    subgroupBroadcast(mine[3], 3u),
  );
}
