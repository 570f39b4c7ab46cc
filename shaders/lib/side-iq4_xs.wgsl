// side iq4_xs: two words for 256 weights: f16 d and the two high bits of eight scales, then their four low bits.
// parts  scale_value (lib/half.wgsl), side_of (lib/codes-iq4.wgsl)
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let first = 2u * (row * (cols / 256u) + unit / 8u);
  let own = unit % 8u;
  let word = side_word(at, first);
  let lows = side_word(at, first + 1u);
  let low = (lows >> (4u * own)) & 15u;
  let high = (word >> (16u + 2u * own)) & 3u;
  return side_of(scale_value(word) * (f32(low | (high << 4u)) - 32.0));
}
