// weights q8_0: UNIT = 16 weights (signed bytes) in one vec4<u32>; 32 weights share an f16 scale: w = scale * q.
//
// A matrix [rows, cols] lies as all its quants row-major, then all its scales row-major (two halves to a word), from a
// 16-byte boundary on (src/formats/quant.ts, quantLayout). Functions as in lib/weights-f32.wgsl.
const UNIT = 16u;
const UNIT_VEC4 = 4u;
const SCALED = true;

fn signed_bytes(word: u32) -> vec4<f32> {
  return vec4<f32>(unpack4xI8(word));
}

fn unpack_unit(words: vec4<u32>, scale: f32) -> array<vec4<f32>, UNIT_VEC4> {
  return array<vec4<f32>, UNIT_VEC4>(
    scale * signed_bytes(words.x),
    scale * signed_bytes(words.y),
    scale * signed_bytes(words.z),
    scale * signed_bytes(words.w),
  );
}

fn unit_scale_index(row: u32, unit: u32, cols: u32) -> u32 {
  return row * (cols / 32u) + unit / 2u;
}
