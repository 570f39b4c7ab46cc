// reduce4 (quad): the sum of a vec4 over the four lanes of a workgroup, in every lane. No barrier.
// needs  WG = 4; subgroups
fn reduce4(value: vec4<f32>, lane: u32) -> vec4<f32> {
  let pair = value + quadSwapX(value);
  return pair + quadSwapY(pair);
}
