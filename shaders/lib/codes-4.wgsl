// codes (4): codes of four bits.
// parts  Side, UnitCodes (lib/weights-codes.wgsl)
fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  let nibbles = vec4<u32>(0x0f0f0f0fu);
  return UnitCodes(words & nibbles, (words >> vec4<u32>(4u)) & nibbles);
}
