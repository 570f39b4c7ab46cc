// dot q8_0: as lib/dot-f32.wgsl. Bytes are masked in place, as in lib/weights-q8_0.wgsl: at bit p the value is 2^p
// times too large, and its inputs are divided by 2^p, which is exact. No large value is added and subtracted again
// (lib/dot-q4_0.wgsl).
struct UnitInputs {
  at0: vec4<f32>, // inputs of the lowest bytes of the four words: columns 0, 4, 8, 12
  at8: vec4<f32>, // columns 1, 5, 9, 13, divided by 2^8
  at16: vec4<f32>,
  at24: vec4<f32>,
}

fn unit_inputs(at: u32) -> UnitInputs {
  let columns = transpose(mat4x4<f32>(input4(at), input4(at + 1u), input4(at + 2u), input4(at + 3u)));
  return UnitInputs(columns[0], columns[1] * 0x1p-8f, columns[2] * 0x1p-16f, columns[3] * 0x1p-24f);
}

// (q + offset) 2^p - offset 2^p
fn whole_bytes(words: vec4<u32>, mask: u32, offset: f32) -> vec4<f32> {
  return vec4<f32>(bitcast<vec4<i32>>(words & vec4<u32>(mask))) - offset;
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs) -> f32 {
  let flipped = words ^ vec4<u32>(0x00808080u); // makes bytes 0 to 2 q + 128; byte 3 is signed already
  var sum = whole_bytes(flipped, 0x000000ffu, 0x1p7f) * inputs.at0;
  sum += whole_bytes(flipped, 0x0000ff00u, 0x1p15f) * inputs.at8;
  sum += whole_bytes(flipped, 0x00ff0000u, 0x1p23f) * inputs.at16;
  sum += whole_bytes(flipped, 0xff000000u, 0.0) * inputs.at24;
  return (sum.x + sum.y) + (sum.z + sum.w);
}
