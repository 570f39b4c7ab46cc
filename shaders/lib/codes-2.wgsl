// codes (2): codes of two bits; a unit is two words of a load, one for 16 weights, in which weight 4 k + b has bits
// 8 b + 2 k. `side.high.y` is 1 for the upper half of the load.
// parts  Side, UnitCodes (lib/weights-codes.wgsl)
fn two_bits(word: u32) -> vec4<u32> {
  return (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(0x03030303u);
}

fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  let own = select(words.xy, words.zw, side.high.y == 1u);
  return UnitCodes(two_bits(own.x), two_bits(own.y));
}
