// weights q4_0: UNIT = 32 weights (a block) in one vec4<u32>, one f16 scale: w = scale * (q - 8).
//
// Byte j of the 16 holds weight j in its low nibble and weight j + 16 in its high one. A matrix lies as all its quants
// row-major, then all its scales (src/formats/quant.ts, quantLayout). Functions as in lib/weights-f32.wgsl.
const UNIT = 32u;
const UNIT_VEC4 = 8u;
const SCALED = true;

fn low_nibbles(word: u32) -> vec4<f32> {
  return vec4<f32>(unpack4xU8(word & 0x0f0f0f0fu)) - 8.0;
}

fn high_nibbles(word: u32) -> vec4<f32> {
  return vec4<f32>(unpack4xU8((word >> 4u) & 0x0f0f0f0fu)) - 8.0;
}

fn unpack_unit(words: vec4<u32>, scale: f32) -> array<vec4<f32>, UNIT_VEC4> {
  return array<vec4<f32>, UNIT_VEC4>(
    scale * low_nibbles(words.x),
    scale * low_nibbles(words.y),
    scale * low_nibbles(words.z),
    scale * low_nibbles(words.w),
    scale * high_nibbles(words.x),
    scale * high_nibbles(words.y),
    scale * high_nibbles(words.z),
    scale * high_nibbles(words.w),
  );
}

fn unit_scale_index(row: u32, unit: u32, cols: u32) -> u32 {
  return row * (cols / 32u) + unit;
}
