// side q3_k: twelve words for 256 weights: the highest bits of eight units, then 12 bytes of 6-bit scales, and f16 d.
// Of scales 0 to 7, the low four bits are the low nibbles of the first 8 bytes, of 8 to 15 the high ones; the highest
// two bits of scale j are bits 2 (j / 4) of byte 8 + j % 4.
// parts  scale_value (lib/half.wgsl), Side (lib/weights-codes.wgsl)
const CODE_ZERO = 4.0;

fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let index = row * (cols / 256u) + unit / 8u;
  let own = unit % 8u;
  let factors = side_vec4(at, 3u * index + 2u);
  let shift = 16u * (own % 2u);
  let lows = select(factors.x, factors.y, own % 4u >= 2u) >> (shift + 4u * (own / 4u));
  let highs = factors.z >> (shift + 2u * (own / 2u));
  let low = vec2<u32>(lows, lows >> 8u) & vec2<u32>(15u);
  let high = vec2<u32>(highs, highs >> 8u) & vec2<u32>(3u);
  let scales = scale_value(factors.w) * (vec2<f32>(low | (high << vec2<u32>(4u))) - 32.0);
  return Side(scales, -CODE_ZERO * scales, vec2<u32>(side_word(at, 12u * index + own), own % 2u));
}
