// codes (iq3): 8 q + 4 for a nibble q, but 2 for 0 and 126 for 15: 64 plus the level (src/weights/grid-levels.ts).
// parts  Side, UnitCodes (lib/weights-codes.wgsl)

// The codes of the lower nibbles of all bytes at once.
fn bytes_of(words: vec4<u32>) -> vec4<u32> {
  let nibbles = words & vec4<u32>(0x0f0f0f0fu);
  let high = (nibbles + vec4<u32>(0x01010101u)) & vec4<u32>(0x10101010u); // of 15
  let low = (vec4<u32>(0x10101010u) - nibbles) & vec4<u32>(0x10101010u); // of 0
  return 8u * nibbles + vec4<u32>(0x04040404u) + (high >> vec4<u32>(3u)) - (low >> vec4<u32>(3u));
}

fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  return UnitCodes(bytes_of(words), bytes_of(words >> vec4<u32>(4u)));
}
