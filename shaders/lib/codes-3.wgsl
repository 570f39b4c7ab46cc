// codes (3): codes of three bits; the lower two as in lib/codes-2.wgsl, and bit 8 b + k of `side.high.x` is the highest
// bit of weight 4 k + b.
// parts  Side, UnitCodes (lib/weights-codes.wgsl)
fn two_bits(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u);
}

fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  let own = select(words.xy, words.zw, side.high.y == 1u);
  let thirds = vec4<u32>(0x04040404u);
  let bit = side.high.x;
  let low = vec4<u32>(bit << 2u, bit << 1u, bit, bit >> 1u) & thirds;
  let high = (vec4<u32>(bit) >> vec4<u32>(2u, 3u, 4u, 5u)) & thirds;
  return UnitCodes(two_bits(own.x) | low, two_bits(own.y) | high);
}
