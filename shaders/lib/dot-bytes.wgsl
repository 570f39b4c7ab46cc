// dot of bytes in groups: as lib/dot-f32.wgsl, for lib/weights-bytes.wgsl.
// parts  byte_values() (lib/bytes-*.wgsl)
struct UnitInputs {
  at0: vec4<f32>, // inputs of the lowest bytes of the four words: columns 0, 4, 8, 12
  at8: vec4<f32>,
  at16: vec4<f32>,
  at24: vec4<f32>,
}

fn unit_inputs(at: u32) -> UnitInputs {
  let columns = transpose(mat4x4<f32>(input4(at), input4(at + 1u), input4(at + 2u), input4(at + 3u)));
  return UnitInputs(columns[0], columns[1], columns[2], columns[3]);
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs, side: Side) -> f32 {
  var sum = byte_values(words) * inputs.at0;
  sum += byte_values(words >> vec4<u32>(8u)) * inputs.at8;
  sum += byte_values(words >> vec4<u32>(16u)) * inputs.at16;
  sum += byte_values(words >> vec4<u32>(24u)) * inputs.at24;
  return side * ((sum.x + sum.y) + (sum.z + sum.w));
}
