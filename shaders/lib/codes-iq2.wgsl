// codes (iq2): 64 plus the level of a nibble of one sign bit and an index: 8, 25 or 43 (src/weights/grid-levels.ts).
// parts  Side, UnitCodes (lib/weights-codes.wgsl)

// The codes of the lower nibbles of all bytes at once.
fn bytes_of(words: vec4<u32>) -> vec4<u32> {
  let ones = vec4<u32>(0x01010101u);
  let bit0 = words & ones;
  let bit1 = (words >> vec4<u32>(1u)) & ones;
  let sign = (words >> vec4<u32>(3u)) & ones;
  let magnitude = vec4<u32>(0x08080808u) + 17u * bit0 + 35u * bit1;
  // 64 - m = (m ^ 63) + 1, for m below 64
  return (magnitude ^ (63u * sign)) + vec4<u32>(0x40404040u) - 63u * sign;
}

fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  return UnitCodes(bytes_of(words), bytes_of(words >> vec4<u32>(4u)));
}
