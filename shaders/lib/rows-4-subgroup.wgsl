// rows (4), subgroup part: the sum over a subgroup, column by column.
fn subgroup_sum(sums: Acc) -> Acc {
  return Acc(subgroupAdd(sums[0]), subgroupAdd(sums[1]), subgroupAdd(sums[2]), subgroupAdd(sums[3]));
}
