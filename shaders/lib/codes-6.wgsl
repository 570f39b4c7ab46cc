// codes (6): codes of six bits; bits 8 b + 2 k of `side.high.x` are the highest two bits of weight 4 k + b, and of
// `side.high.y` those of weight 16 + 4 k + b.
// parts  Side, UnitCodes (lib/weights-codes.wgsl)
fn high_bits(word: u32) -> vec4<u32> {
  return vec4<u32>(word << 4u, word << 2u, word, word >> 2u) & vec4<u32>(0x30303030u);
}

fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  let nibbles = vec4<u32>(0x0f0f0f0fu);
  return UnitCodes(
    (words & nibbles) | high_bits(side.high.x),
    ((words >> vec4<u32>(4u)) & nibbles) | high_bits(side.high.y),
  );
}
