// codes (odd): 8 q + 4 for a nibble q: 64 plus four times an odd level from -15 to 15 (src/weights/grid-levels.ts).
// parts  Side, UnitCodes (lib/weights-codes.wgsl)

// The codes of the lower nibbles of all bytes at once.
fn bytes_of(words: vec4<u32>) -> vec4<u32> {
  return 8u * (words & vec4<u32>(0x0f0f0f0fu)) + vec4<u32>(0x04040404u);
}

fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  return UnitCodes(bytes_of(words), bytes_of(words >> vec4<u32>(4u)));
}
