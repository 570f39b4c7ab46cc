// weights of coded blocks: UNIT = 32 weights, low four bits in one vec4<u32>; w = scale * code + offset, a scale and an
// offset for each 16 weights (src/weights/coded-blocks.ts).
//
// parts  fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes (lib/codes-*.wgsl)
//        fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side (lib/side-*.wgsl)
// Functions as in lib/weights-f32.wgsl.
const UNIT = 32u;
const UNIT_VEC4 = 8u;

struct Side {
  scales: vec2<f32>, // of weights 0 to 15 and 16 to 31
  offsets: vec2<f32>,
  high: vec2<u32>, // bits of the codes; unused by formats of four bits
}

// Codes of at most 8 bits: byte b of word k is weight 4 k + b, or 16 + 4 k + b.
struct UnitCodes {
  low: vec4<u32>,
  high: vec4<u32>,
}

// Bytes are masked in place: at bit p the value is code * 2^p, and the scale is divided by 2^p. The top byte is
// shifted, because its highest bit would be a sign.
fn code_values(words: vec4<u32>, mask: u32, scale: f32, offset: f32) -> vec4<f32> {
  return vec4<f32>(bitcast<vec4<i32>>(words & vec4<u32>(mask))) * scale + offset;
}

fn half_unit(codes: vec4<u32>, scale: f32, offset: f32) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(
    code_values(codes, 0x000000ffu, scale, offset),
    code_values(codes, 0x0000ff00u, scale * 0x1p-8f, offset),
    code_values(codes, 0x00ff0000u, scale * 0x1p-16f, offset),
    code_values(codes >> vec4<u32>(24u), 0x000000ffu, scale, offset),
  ));
}

fn unpack_unit(words: vec4<u32>, side: Side) -> array<vec4<f32>, UNIT_VEC4> {
  let codes = unit_codes(words, side);
  let low = half_unit(codes.low, side.scales.x, side.offsets.x);
  let high = half_unit(codes.high, side.scales.y, side.offsets.y);
  return array<vec4<f32>, UNIT_VEC4>(low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]);
}
