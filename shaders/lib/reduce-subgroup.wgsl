// reduce (subgroups): the sum and the maximum over all lanes of a workgroup, in every lane.
// Each subgroup reduces; its lowest lane writes the result to workgroup memory, and then every subgroup reduces all of
// these in the same order. Correct for any mapping of lanes to subgroups; same bits on the same adapter.
// needs  WG (override in the kernel's file); called in uniform control flow by every lane
var<workgroup> reduce_scratch: array<f32, WG>;

fn reduce_sum(value: f32, lane: u32) -> f32 {
  let part = subgroupAdd(value);
  reduce_scratch[lane] = select(0.0, part, lane == subgroupMin(lane));
  workgroupBarrier();
  let size = subgroupAdd(1u);
  var sum = 0.0;
  for (var at = subgroupExclusiveAdd(1u); at < WG; at += size) {
    sum += reduce_scratch[at];
  }
  sum = subgroupAdd(sum);
  workgroupBarrier(); // before the next call writes the scratch
  return sum;
}

fn reduce_max(value: f32, lane: u32) -> f32 {
  reduce_scratch[lane] = subgroupMax(value);
  workgroupBarrier();
  let size = subgroupAdd(1u);
  let first = subgroupExclusiveAdd(1u);
  var largest = reduce_scratch[first];
  for (var at = first + size; at < WG; at += size) {
    largest = max(largest, reduce_scratch[at]);
  }
  largest = subgroupMax(largest);
  workgroupBarrier();
  return largest;
}
