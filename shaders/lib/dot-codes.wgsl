// dot of coded blocks: as lib/dot-f32.wgsl, for lib/weights-codes.wgsl. The offsets are multiplied by sums of inputs,
// which rows share.
//
// Codes are at most a few times larger than their distance from the code of zero, so the subtraction of offsets loses a
// bit or two of a product, not all of it.
//
// parts  lib/dot-halves.wgsl, lib/dot-masked.wgsl
fn unit_dot(words: vec4<u32>, inputs: UnitInputs, side: Side) -> f32 {
  let codes = unit_codes(words, side);
  let products = vec2<f32>(half_dot(codes.low, inputs.low), half_dot(codes.high, inputs.high));
  let halves = side.scales * products + side.offsets * vec2<f32>(inputs.low.sum, inputs.high.sum);
  return halves.x + halves.y;
}
