// side q2_k: five words for 256 weights: a byte for each 16 of them, with a scale in its low nibble and a minimum in
// its high one, then f16 d and dmin.
// parts  scale_value (lib/half.wgsl), Side (lib/weights-codes.wgsl)
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let first = 5u * (row * (cols / 256u) + unit / 8u);
  let own = unit % 8u;
  let factors = side_word(at, first + 4u);
  let pair = side_word(at, first + own / 2u) >> (16u * (own % 2u));
  let bytes = vec2<u32>(pair, pair >> 8u);
  let scales = scale_value(factors) * vec2<f32>(bytes & vec2<u32>(15u));
  let offsets = -scale_value(factors >> 16u) * vec2<f32>((bytes >> vec2<u32>(4u)) & vec2<u32>(15u));
  return Side(scales, offsets, vec2<u32>(0u, own % 2u));
}
