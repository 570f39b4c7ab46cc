// side q5_1: two words for 32 weights: an f16 scale and an f16 minimum, and the fifth bits.
// parts  scale_value (lib/half.wgsl), Side (lib/weights-codes.wgsl)
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let first = 2u * (row * (cols / 32u) + unit);
  let factors = side_word(at, first);
  let high = side_word(at, first + 1u);
  let minimum = scale_value(factors >> 16u);
  return Side(vec2<f32>(scale_value(factors)), vec2<f32>(minimum), vec2<u32>(high, 0u));
}
