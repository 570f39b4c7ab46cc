// side q5_0: three words for two blocks of 32 weights: the fifth bits of each, and both f16 scales.
// parts  scale_value (lib/half.wgsl), Side (lib/weights-codes.wgsl)
const CODE_ZERO = 16.0;

fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let index = row * (cols / 32u) + unit;
  let first = 3u * (index / 2u);
  let own = index % 2u;
  let both = side_word(at, first + 2u);
  let scale = scale_value(both >> (16u * own));
  let high = side_word(at, first + own);
  return Side(vec2<f32>(scale), vec2<f32>(-CODE_ZERO * scale), vec2<u32>(high, 0u));
}
