// dot q4_0: as lib/dot-f32.wgsl, with the mantissa trick of lib/dot-q8_0.wgsl: a nibble at bit 4 k counts 16^k times too
// much, and its inputs are divided by that, exactly.
const MAGIC = 0x4b000000u; // the bits of 2^23

struct UnitInputs {
  low0: vec4<f32>, // of the nibbles at bit 0 of the four words: columns 0, 4, 8, 12
  low1: vec4<f32>, // bit 4: columns 16, 20, 24, 28, over 16
  low2: vec4<f32>, // bit 8: columns 1, 5, 9, 13, over 256
  low3: vec4<f32>, // bit 12: over 4096
  high0: vec4<f32>, // the same of bits 16 to 31
  high1: vec4<f32>,
  high2: vec4<f32>,
  high3: vec4<f32>,
}

fn unit_inputs(at: u32) -> UnitInputs {
  let even = transpose(mat4x4<f32>(input4(at), input4(at + 1u), input4(at + 2u), input4(at + 3u)));
  let odd = transpose(mat4x4<f32>(input4(at + 4u), input4(at + 5u), input4(at + 6u), input4(at + 7u)));
  return UnitInputs(
    even[0],
    odd[0] * 0.0625,
    even[1] * 0.00390625,
    odd[1] * 0.000244140625,
    even[2],
    odd[2] * 0.0625,
    even[3] * 0.00390625,
    odd[3] * 0.000244140625,
  );
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs) -> f32 {
  let high = words >> vec4<u32>(16u);
  let at0 = vec4<u32>(0xfu);
  let at4 = vec4<u32>(0xf0u);
  let at8 = vec4<u32>(0xf00u);
  let at12 = vec4<u32>(0xf000u);
  let magic = vec4<u32>(MAGIC);
  var sum = (bitcast<vec4<f32>>((words & at0) | magic) - 8388616.0) * inputs.low0; // 2^23 + 8
  sum += (bitcast<vec4<f32>>((words & at4) | magic) - 8388736.0) * inputs.low1; // 2^23 + 8 * 16
  sum += (bitcast<vec4<f32>>((words & at8) | magic) - 8390656.0) * inputs.low2; // 2^23 + 8 * 256
  sum += (bitcast<vec4<f32>>((words & at12) | magic) - 8421376.0) * inputs.low3; // 2^23 + 8 * 4096
  sum += (bitcast<vec4<f32>>((high & at0) | magic) - 8388616.0) * inputs.high0;
  sum += (bitcast<vec4<f32>>((high & at4) | magic) - 8388736.0) * inputs.high1;
  sum += (bitcast<vec4<f32>>((high & at8) | magic) - 8390656.0) * inputs.high2;
  sum += (bitcast<vec4<f32>>((high & at12) | magic) - 8421376.0) * inputs.high3;
  return (sum.x + sum.y) + (sum.z + sum.w);
}
