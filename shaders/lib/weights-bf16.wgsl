// weights bf16: UNIT = 8 weights in one vec4<u32>, two per word, low half first. bf16 is the upper half of an f32.
// Layout and functions as in lib/weights-f32.wgsl.
const UNIT = 8u;
const UNIT_VEC4 = 2u;
const SCALED = false;

fn unpack_unit(words: vec4<u32>, scale: f32) -> array<vec4<f32>, UNIT_VEC4> {
  let low = bitcast<vec4<f32>>(words * 65536u); // a shift, in a form that software adapters vectorise
  let high = bitcast<vec4<f32>>(words & vec4<u32>(0xffff0000u));
  return array<vec4<f32>, UNIT_VEC4>(
    vec4<f32>(low.x, high.x, low.y, high.y),
    vec4<f32>(low.z, high.z, low.w, high.w),
  );
}

fn unit_scale_index(row: u32, unit: u32, cols: u32) -> u32 {
  return 0u;
}
