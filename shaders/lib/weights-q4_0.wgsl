// weights q4_0: UNIT = 32 weights (a block) in one vec4<u32>, one f16 scale: w = scale * (q - 8) (Q4_0 of ggml).
//
// Byte j of the 16 holds weight j in its low nibble and weight j + 16 in its high one. A matrix is stored as all its
// quants row-major, then all its scales (src/weights/scaled-blocks.ts). Functions as in lib/weights-f32.wgsl.
const UNIT = 32u;
const UNIT_VEC4 = 8u;
const SCALED = true;

// Nibbles are masked in place: at bit p the value is q * 2^p, and the scale is divided by 2^p. This avoids shifts,
// which are slow on software adapters.
fn nibbles(words: vec4<u32>, mask: u32, factor: f32, offset: f32) -> vec4<f32> {
  return vec4<f32>(bitcast<vec4<i32>>(words & vec4<u32>(mask))) * factor + offset;
}

fn unpack_unit(words: vec4<u32>, scale: f32) -> array<vec4<f32>, UNIT_VEC4> {
  let offset = -8.0 * scale;
  let low0 = nibbles(words, 0x0000000fu, scale, offset); // byte 0 of each word: weights 0, 4, 8, 12
  let high0 = nibbles(words, 0x000000f0u, scale * 0x1p-4f, offset); // weights 16, 20, 24, 28
  let low1 = nibbles(words, 0x00000f00u, scale * 0x1p-8f, offset);
  let high1 = nibbles(words, 0x0000f000u, scale * 0x1p-12f, offset);
  let low2 = nibbles(words, 0x000f0000u, scale * 0x1p-16f, offset);
  let high2 = nibbles(words, 0x00f00000u, scale * 0x1p-20f, offset);
  let low3 = nibbles(words, 0x0f000000u, scale * 0x1p-24f, offset);
  let flipped = words ^ vec4<u32>(0x80000000u); // makes the top nibble q - 8 in two's complement
  let high3 = nibbles(flipped, 0xf0000000u, scale * 0x1p-28f, 0.0);
  return array<vec4<f32>, UNIT_VEC4>(
    vec4<f32>(low0.x, low1.x, low2.x, low3.x),
    vec4<f32>(low0.y, low1.y, low2.y, low3.y),
    vec4<f32>(low0.z, low1.z, low2.z, low3.z),
    vec4<f32>(low0.w, low1.w, low2.w, low3.w),
    vec4<f32>(high0.x, high1.x, high2.x, high3.x),
    vec4<f32>(high0.y, high1.y, high2.y, high3.y),
    vec4<f32>(high0.z, high1.z, high2.z, high3.z),
    vec4<f32>(high0.w, high1.w, high2.w, high3.w),
  );
}

fn unit_scale_index(row: u32, unit: u32, cols: u32) -> u32 {
  return row * (cols / 32u) + unit;
}
