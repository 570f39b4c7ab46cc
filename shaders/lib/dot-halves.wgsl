// dot halves: the inputs of a unit of 32 weights whose codes are bytes of words, shared by lib/dot-codes.wgsl and
// lib/dot-nested.wgsl. Bytes are masked in place: at bit p the code is 2^p times too large, and its inputs are divided
// by 2^p, which is exact.
struct HalfInputs {
  at0: vec4<f32>, // inputs of the lowest bytes of the four words: columns 0, 4, 8, 12
  at8: vec4<f32>, // columns 1, 5, 9, 13, divided by 2^8
  at16: vec4<f32>,
  at24: vec4<f32>, // not divided
  sum: f32, // of all 16
}

struct UnitInputs {
  low: HalfInputs, // columns 0 to 15
  high: HalfInputs,
}

fn half_inputs(at: u32) -> HalfInputs {
  let columns = transpose(mat4x4<f32>(input4(at), input4(at + 1u), input4(at + 2u), input4(at + 3u)));
  let sums = (columns[0] + columns[1]) + (columns[2] + columns[3]);
  let sum = (sums.x + sums.y) + (sums.z + sums.w);
  return HalfInputs(columns[0], columns[1] * 0x1p-8f, columns[2] * 0x1p-16f, columns[3], sum);
}

fn unit_inputs(at: u32) -> UnitInputs {
  return UnitInputs(half_inputs(at), half_inputs(at + 4u));
}

// code 2^p
fn whole_codes(words: vec4<u32>, mask: u32) -> vec4<f32> {
  return vec4<f32>(bitcast<vec4<i32>>(words & vec4<u32>(mask)));
}

fn half_dot(codes: vec4<u32>, inputs: HalfInputs) -> f32 {
  var sum = whole_codes(codes, 0x000000ffu) * inputs.at0;
  sum += whole_codes(codes, 0x0000ff00u) * inputs.at8;
  sum += whole_codes(codes, 0x00ff0000u) * inputs.at16;
  sum += whole_codes(codes >> vec4<u32>(24u), 0x000000ffu) * inputs.at24;
  return (sum.x + sum.y) + (sum.z + sum.w);
}
