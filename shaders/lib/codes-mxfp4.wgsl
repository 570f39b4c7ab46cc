// codes (mxfp4): 16 plus twice the value of a nibble of one sign bit, two exponent bits and one mantissa bit. Twice
// the magnitude is 0, 1, 2, 3, 4, 6, 8 or 12.
// parts  Side, UnitCodes (lib/weights-codes.wgsl)

// The codes of the lower nibbles of all bytes at once: each expression has a bit per byte.
fn bytes_of(words: vec4<u32>) -> vec4<u32> {
  let ones = vec4<u32>(0x01010101u);
  let bit0 = words & ones;
  let bit1 = (words >> vec4<u32>(1u)) & ones;
  let bit2 = (words >> vec4<u32>(2u)) & ones;
  let sign = (words >> vec4<u32>(3u)) & ones;
  let odd4 = bit0 & bit2; // 5 and 7, which are 6 and 12
  let eights = bit1 & bit2;
  let fours = (bit2 ^ eights) | (odd4 & bit1);
  let twos = (bit1 ^ eights) | (odd4 ^ (odd4 & bit1));
  let magnitude = (bit0 ^ odd4) + 2u * twos + 4u * fours + 8u * eights;
  // 16 - m = (m ^ 15) + 1, for m below 16
  return (magnitude ^ (15u * sign)) + vec4<u32>(0x10101010u) - 15u * sign;
}

fn unit_codes(words: vec4<u32>, side: Side) -> UnitCodes {
  return UnitCodes(bytes_of(words), bytes_of(words >> vec4<u32>(4u)));
}
