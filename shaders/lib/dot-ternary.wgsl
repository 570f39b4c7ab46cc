// dot of ternary blocks: as lib/dot-f32.wgsl, for lib/weights-codes.wgsl with lib/codes-2.wgsl. No input is multiplied:
// those whose code has its low bit are added up, those with its high bit twice, and the sum of all, which rows share,
// is subtracted. One product with the scale follows for 32 weights.
//
// parts  lib/dot-halves.wgsl
fn in_place(columns: mat4x4<f32>) -> mat4x4<f32> {
  return columns;
}

// The inputs of one byte whose bits are set, four of two bits each.
fn chosen(word: u32, first: u32, inputs: vec4<f32>) -> vec4<f32> {
  let bits = vec4<u32>(word >> first) & vec4<u32>(1u, 4u, 16u, 64u);
  return select(vec4<f32>(), inputs, bits != vec4<u32>());
}

fn sum_of_chosen(word: u32, inputs: HalfInputs) -> f32 {
  let low = chosen(word, 0u, inputs.at0) + chosen(word, 8u, inputs.at8);
  let sum = low + (chosen(word, 16u, inputs.at16) + chosen(word, 24u, inputs.at24));
  return (sum.x + sum.y) + (sum.z + sum.w);
}

fn half_dot(word: u32, inputs: HalfInputs) -> f32 {
  let twice = sum_of_chosen(word >> 1u, inputs);
  return sum_of_chosen(word, inputs) + (twice + twice) - inputs.sum;
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs, side: Side) -> f32 {
  let own = select(words.xy, words.zw, side.high.y == 1u);
  return side.scales.x * (half_dot(own.x, inputs.low) + half_dot(own.y, inputs.high));
}
