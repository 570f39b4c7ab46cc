// weights q8_0: UNIT = 16 weights (signed bytes) in one vec4<u32>; 32 weights share an f16 scale: w = scale * q
// (Q8_0 of ggml).
//
// A matrix [rows, cols] is stored as all its quants row-major, then all its scales row-major (two halves per word),
// from a 16-byte boundary on (src/weights/scaled-blocks.ts). Functions as in lib/weights-f32.wgsl.
const UNIT = 16u;
const UNIT_VEC4 = 4u;
const SCALED = true;

// Bytes are masked in place: at bit p the value is q * 2^p, and the scale is divided by 2^p. This avoids shifts, which
// are slow on software adapters.
fn bytes(words: vec4<u32>, mask: u32, factor: f32, offset: f32) -> vec4<f32> {
  return vec4<f32>(bitcast<vec4<i32>>(words & vec4<u32>(mask))) * factor + offset;
}

fn unpack_unit(words: vec4<u32>, scale: f32) -> array<vec4<f32>, UNIT_VEC4> {
  let flipped = words ^ vec4<u32>(0x00808080u); // makes bytes 0 to 2 q + 128; byte 3 is signed already
  let offset = -128.0 * scale;
  let byte0 = bytes(flipped, 0x000000ffu, scale, offset);
  let byte1 = bytes(flipped, 0x0000ff00u, scale * 0x1p-8f, offset);
  let byte2 = bytes(flipped, 0x00ff0000u, scale * 0x1p-16f, offset);
  let byte3 = bytes(flipped, 0xff000000u, scale * 0x1p-24f, 0.0);
  return array<vec4<f32>, UNIT_VEC4>(
    vec4<f32>(byte0.x, byte1.x, byte2.x, byte3.x),
    vec4<f32>(byte0.y, byte1.y, byte2.y, byte3.y),
    vec4<f32>(byte0.z, byte1.z, byte2.z, byte3.z),
    vec4<f32>(byte0.w, byte1.w, byte2.w, byte3.w),
  );
}

fn unit_scale_index(row: u32, unit: u32, cols: u32) -> u32 {
  return row * (cols / 32u) + unit / 2u;
}
