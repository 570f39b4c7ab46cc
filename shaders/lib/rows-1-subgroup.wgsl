// rows (1), subgroup part: the sum over a subgroup.
fn subgroup_sum(sums: Acc) -> Acc {
  return subgroupAdd(sums);
}
