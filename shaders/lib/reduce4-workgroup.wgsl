// reduce4 (workgroup memory): the sum of a vec4 over all lanes of a workgroup, in every lane, in a fixed order.
// needs  WG a power of two (override in the kernel's file); called in uniform control flow by every lane
var<workgroup> reduce4_scratch: array<vec4<f32>, WG>;

fn reduce4(value: vec4<f32>, lane: u32) -> vec4<f32> {
  workgroupBarrier(); // the sum of the last call has been read
  reduce4_scratch[lane] = value;
  workgroupBarrier();
  for (var stride = WG / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      reduce4_scratch[lane] += reduce4_scratch[lane + stride];
    }
    workgroupBarrier();
  }
  return reduce4_scratch[0];
}
