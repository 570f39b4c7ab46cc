// dot q4_0: as lib/dot-f32.wgsl. Nibbles are masked in place, as in lib/weights-q4_0.wgsl: at bit p the value is
// 2^p times too large, and its inputs are divided by 2^p, which is exact.
//
// The value subtracted from a nibble is at most half of its range, so a compiler that distributes the product (Metal
// may) loses one bit. With values in the mantissa of 2^23 it would lose all bits.
struct UnitInputs {
  at0: vec4<f32>, // inputs of the nibbles at bit 0 of the four words: columns 0, 4, 8, 12
  at4: vec4<f32>, // bit 4: columns 16, 20, 24, 28, divided by 2^4
  at8: vec4<f32>, // columns 1, 5, 9, 13
  at12: vec4<f32>, // columns 17, 21, 25, 29
  at16: vec4<f32>,
  at20: vec4<f32>,
  at24: vec4<f32>,
  at28: vec4<f32>,
}

fn unit_inputs(at: u32) -> UnitInputs {
  let low = transpose(mat4x4<f32>(input4(at), input4(at + 1u), input4(at + 2u), input4(at + 3u)));
  let high = transpose(mat4x4<f32>(input4(at + 4u), input4(at + 5u), input4(at + 6u), input4(at + 7u)));
  return UnitInputs(
    low[0],
    high[0] * 0x1p-4f,
    low[1] * 0x1p-8f,
    high[1] * 0x1p-12f,
    low[2] * 0x1p-16f,
    high[2] * 0x1p-20f,
    low[3] * 0x1p-24f,
    high[3] * 0x1p-28f,
  );
}

// (q - 8) 2^p; `eight` is 8 times 2^p
fn whole_nibbles(words: vec4<u32>, mask: u32, eight: f32) -> vec4<f32> {
  return vec4<f32>(bitcast<vec4<i32>>(words & vec4<u32>(mask))) - eight;
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs) -> f32 {
  var sum = whole_nibbles(words, 0x0000000fu, 0x1p3f) * inputs.at0;
  sum += whole_nibbles(words, 0x000000f0u, 0x1p7f) * inputs.at4;
  sum += whole_nibbles(words, 0x00000f00u, 0x1p11f) * inputs.at8;
  sum += whole_nibbles(words, 0x0000f000u, 0x1p15f) * inputs.at12;
  sum += whole_nibbles(words, 0x000f0000u, 0x1p19f) * inputs.at16;
  sum += whole_nibbles(words, 0x00f00000u, 0x1p23f) * inputs.at20;
  sum += whole_nibbles(words, 0x0f000000u, 0x1p27f) * inputs.at24;
  // The top nibble, with its highest bit flipped, is q - 8 in two's complement.
  sum += whole_nibbles(words ^ vec4<u32>(0x80000000u), 0xf0000000u, 0.0) * inputs.at28;
  return (sum.x + sum.y) + (sum.z + sum.w);
}
