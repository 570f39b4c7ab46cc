// reduce4 (subgroups): the sum of a vec4 over all lanes of a workgroup, in every lane. Correct for any mapping of
// lanes to subgroups (see lib/reduce-subgroup.wgsl); same bits on the same adapter.
// needs  WG (override in the kernel's file); called in uniform control flow by every lane
var<workgroup> reduce4_scratch: array<vec4<f32>, WG>;

fn reduce4(value: vec4<f32>, lane: u32) -> vec4<f32> {
  let part = subgroupAdd(value);
  workgroupBarrier(); // the parts of the last call have been read
  reduce4_scratch[lane] = select(vec4<f32>(), part, lane == subgroupMin(lane));
  workgroupBarrier();
  let size = subgroupAdd(1u);
  var sum = vec4<f32>();
  for (var at = subgroupExclusiveAdd(1u); at < WG; at += size) {
    sum += reduce4_scratch[at];
  }
  return subgroupAdd(sum);
}
