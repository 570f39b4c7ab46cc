// weights f16: UNIT = 8 weights in one vec4<u32>, two per word, low half first. Needs no shader-f16.
// Layout and functions as in lib/weights-f32.wgsl.
const UNIT = 8u;
const UNIT_VEC4 = 2u;
const SCALED = false;

fn unpack_unit(words: vec4<u32>, scale: f32) -> array<vec4<f32>, UNIT_VEC4> {
  return array<vec4<f32>, UNIT_VEC4>(
    vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y)),
    vec4<f32>(unpack2x16float(words.z), unpack2x16float(words.w)),
  );
}

fn unit_scale_index(row: u32, unit: u32, cols: u32) -> u32 {
  return 0u;
}
