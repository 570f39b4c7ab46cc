// side q6_k: 21 words for 256 weights: two of high bits for each of eight units, four of signed 8-bit scales for each
// 16 weights, and f16 d.
// parts  scale_value (lib/half.wgsl), Side (lib/weights-codes.wgsl)
const CODE_ZERO = 32.0;

fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let first = 21u * (row * (cols / 256u) + unit / 8u);
  let own = unit % 8u;
  let pair = bitcast<i32>(side_word(at, first + 16u + own / 2u) << (16u * (1u - own % 2u)));
  let factors = vec2<f32>(vec2<i32>(pair << 8u, pair) >> vec2<u32>(24u));
  let scales = scale_value(side_word(at, first + 20u)) * factors;
  let high = vec2<u32>(side_word(at, first + 2u * own), side_word(at, first + 2u * own + 1u));
  return Side(scales, -CODE_ZERO * scales, high);
}
