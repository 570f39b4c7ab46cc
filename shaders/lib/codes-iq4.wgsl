// codes (iq4): the table of 16 levels of IQ4_NL and IQ4_XS (src/weights/iq4-levels.ts), plus 128.
// parts  Side, UnitCodes (lib/weights-codes.wgsl)
const LEVELS = vec4<u32>(0x3f2d1801u, 0x766a5d4fu, 0xa6998d81u, 0xf1d9c5b5u); // a byte each, the first lowest
const LEVEL_ZERO = 128.0;

// The levels of the lowest nibbles of four words.
fn levels_of(words: vec4<u32>) -> vec4<u32> {
  let is_odd = (words & vec4<u32>(4u)) != vec4<u32>(0u);
  let low = select(vec4<u32>(LEVELS.x), vec4<u32>(LEVELS.y), is_odd);
  let high = select(vec4<u32>(LEVELS.z), vec4<u32>(LEVELS.w), is_odd);
  let four = select(low, high, (words & vec4<u32>(8u)) != vec4<u32>(0u));
  return (four >> (8u * (words & vec4<u32>(3u)))) & vec4<u32>(0xffu);
}

// The levels of the lower nibbles of all bytes.
fn bytes_of(words: vec4<u32>) -> vec4<u32> {
  let low = levels_of(words) | (levels_of(words >> vec4<u32>(8u)) << vec4<u32>(8u));
  let high = levels_of(words >> vec4<u32>(16u)) | (levels_of(words >> vec4<u32>(24u)) << vec4<u32>(8u));
  return low | (high << vec4<u32>(16u));
}

fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  return UnitCodes(bytes_of(words), bytes_of(words >> vec4<u32>(4u)));
}

fn side_of(scale: f32) -> Side {
  return Side(vec2<f32>(scale), vec2<f32>(-LEVEL_ZERO * scale), vec2<u32>());
}
