// side q4_1: one word for 32 weights: an f16 scale and an f16 minimum.
// parts  scale_value (lib/half.wgsl), Side (lib/weights-codes.wgsl)
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let factors = side_word(at, row * (cols / 32u) + unit);
  return Side(vec2<f32>(scale_value(factors)), vec2<f32>(scale_value(factors >> 16u)), vec2<u32>());
}
