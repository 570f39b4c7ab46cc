// dot of nested bit planes: as lib/dot-f32.wgsl, for lib/weights-nested.wgsl. Codes and the bits of each plane are
// multiplied with the inputs on their own, and their sums with the factors; the offset is multiplied by the sum of the
// inputs.
//
// parts  lib/dot-halves.wgsl, lib/dot-masked.wgsl
fn plane_dot(word: u32, inputs: UnitInputs) -> f32 {
  return half_dot(sign_bits(word), inputs.low) + half_dot(sign_bits(word >> 4u), inputs.high);
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs, side: Side) -> f32 {
  let own = own_half(words, side);
  let base = half_dot(base_codes(own.x), inputs.low) + half_dot(base_codes(own.y), inputs.high);
  var sum = side.factors.x * base + side.offset * (inputs.low.sum + inputs.high.sum);
  if (PLANES > 0u) {
    sum += side.factors.y * plane_dot(side.bits.x, inputs);
  }
  if (PLANES > 1u) {
    sum += side.factors.z * plane_dot(side.bits.y, inputs);
  }
  return sum;
}
