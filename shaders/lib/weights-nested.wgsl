// weights of nested bit planes: UNIT = 32 weights; w = s2 q + offset + s3 b3 + s4 b4, a code of two bits and signs of 1
// or -1; scales of 128 columns of a row (src/weights/nested-planes.ts). A sign is 2 * bit - 1, so that bits have the
// factor 2 s, and the offset has -s more.
//
// parts  const PLANES (lib/planes-*.wgsl); scale_value (lib/half.wgsl)
// Functions as in lib/weights-codes.wgsl. A load has two units.
const UNIT = 32u;
const UNIT_VEC4 = 8u;

struct Side {
  factors: vec3<f32>, // of codes, and of the bits of each plane
  offset: f32,
  bits: vec2<u32>, // of each plane: bit 8 b + k is that of weight 4 k + b
  part: u32, // which half of a load
}

struct PlaneSide {
  bits: u32,
  scale: f32,
}

// What a unit has of plane `index`; zeros if it is absent. `own` is the first word of a row of scales: two words that
// say how far behind the rows of both planes are, 0 if absent; then scale and offset of each group.
fn plane_side(at: SideAt, own: u32, index: u32, unit: u32, units: u32) -> PlaneSide {
  let behind = side_word(at, own + index);
  if (behind == 0u) {
    return PlaneSide(0u, 0.0);
  }
  let first = own + behind;
  let group = unit / 4u;
  let scale = scale_value(side_word(at, first + units + group / 2u) >> (16u * (group % 2u)));
  return PlaneSide(side_word(at, first + unit), scale);
}

fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let units = cols / UNIT;
  let own = row * ((cols + 127u) / 128u + 2u);
  let both = side_word(at, own + 2u + unit / 4u);
  var side = Side(vec3<f32>(scale_value(both), 0.0, 0.0), scale_value(both >> 16u), vec2<u32>(), unit % 2u);
  if (PLANES > 0u) {
    let third = plane_side(at, own, 0u, unit, units);
    side.bits.x = third.bits;
    side.factors.y = 2.0 * third.scale;
    side.offset -= third.scale;
  }
  if (PLANES > 1u) {
    let fourth = plane_side(at, own, 1u, unit, units);
    side.bits.y = fourth.bits;
    side.factors.z = 2.0 * fourth.scale;
    side.offset -= fourth.scale;
  }
  return side;
}

// Codes of sixteen weights in the bytes of four words, as of lib/weights-codes.wgsl: byte b of word k is weight
// 4 k + b.
fn base_codes(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u);
}

// Of weights 16 to 31 the word is shifted by 4.
fn sign_bits(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(0x01010101u);
}

fn own_half(words: vec4<u32>, side: Side) -> vec2<u32> {
  return select(words.xy, words.zw, side.part == 1u);
}

// Byte `shift` / 8 of each word.
fn byte_values(words: vec4<u32>, shift: u32) -> vec4<f32> {
  return vec4<f32>((words >> vec4<u32>(shift)) & vec4<u32>(255u));
}

fn plane_values(codes: vec4<u32>, third: vec4<u32>, fourth: vec4<u32>, shift: u32, side: Side) -> vec4<f32> {
  var values = byte_values(codes, shift) * side.factors.x + side.offset;
  if (PLANES > 0u) {
    values += byte_values(third, shift) * side.factors.y;
  }
  if (PLANES > 1u) {
    values += byte_values(fourth, shift) * side.factors.z;
  }
  return values;
}

fn half_unit(word: u32, bits: vec2<u32>, side: Side) -> mat4x4<f32> {
  let codes = base_codes(word);
  let third = sign_bits(bits.x);
  let fourth = sign_bits(bits.y);
  return transpose(mat4x4<f32>(
    plane_values(codes, third, fourth, 0u, side),
    plane_values(codes, third, fourth, 8u, side),
    plane_values(codes, third, fourth, 16u, side),
    plane_values(codes, third, fourth, 24u, side),
  ));
}

fn unpack_unit(words: vec4<u32>, side: Side) -> array<vec4<f32>, UNIT_VEC4> {
  let own = own_half(words, side);
  let low = half_unit(own.x, side.bits, side);
  let high = half_unit(own.y, side.bits >> vec2<u32>(4u), side);
  return array<vec4<f32>, UNIT_VEC4>(low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]);
}
