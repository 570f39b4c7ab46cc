// codes (5): codes of five bits; bit 8 b + k of `side.high.x` is the highest bit of weight 4 k + b.
// parts  Side, UnitCodes (lib/weights-codes.wgsl)
fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  let nibbles = vec4<u32>(0x0f0f0f0fu);
  let fifths = vec4<u32>(0x10101010u);
  let bits = vec4<u32>(side.high.x);
  return UnitCodes(
    (words & nibbles) | ((bits << vec4<u32>(4u, 3u, 2u, 1u)) & fifths),
    ((words >> vec4<u32>(4u)) & nibbles) | ((bits >> vec4<u32>(0u, 1u, 2u, 3u)) & fifths),
  );
}
