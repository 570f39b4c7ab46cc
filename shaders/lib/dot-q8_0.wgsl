// dot q8_0: as lib/dot-f32.wgsl.
//
// Bytes become floats without a conversion, which is slow on many adapters: q + 128 put into the mantissa of 2^23 gives
// 2^23 + q + 128. A byte that stands at bit 8 counts 256 times too much: its inputs are divided by that, exactly.
const MAGIC = 0x4b000000u; // the bits of 2^23

struct UnitInputs {
  a: vec4<f32>, // of the lowest bytes of the four words: columns 0, 4, 8, 12
  b: vec4<f32>, // columns 1, 5, 9, 13, over 256
  c: vec4<f32>,
  d: vec4<f32>, // over 256
}

fn unit_inputs(at: u32) -> UnitInputs {
  let columns = transpose(mat4x4<f32>(input4(at), input4(at + 1u), input4(at + 2u), input4(at + 3u)));
  return UnitInputs(columns[0], columns[1] * 0.00390625, columns[2], columns[3] * 0.00390625);
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs) -> f32 {
  let low = words ^ vec4<u32>(0x80808080u); // q + 128
  let high = low >> vec4<u32>(16u);
  let at0 = vec4<u32>(0xffu);
  let at8 = vec4<u32>(0xff00u);
  let magic = vec4<u32>(MAGIC);
  var sum = (bitcast<vec4<f32>>((low & at0) | magic) - 8388736.0) * inputs.a; // 2^23 + 128
  sum += (bitcast<vec4<f32>>((low & at8) | magic) - 8421376.0) * inputs.b; // 2^23 + 128 * 256
  sum += (bitcast<vec4<f32>>((high & at0) | magic) - 8388736.0) * inputs.c;
  sum += (bitcast<vec4<f32>>((high & at8) | magic) - 8421376.0) * inputs.d;
  return (sum.x + sum.y) + (sum.z + sum.w);
}
