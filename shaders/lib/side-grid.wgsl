// side grid: three words for 256 weights: a f32 factor D, then sixteen scales S of four bits
// (src/weights/grid-blocks.ts).
// parts  Side (lib/weights-codes.wgsl)
const CODE_ZERO = 64.0;

fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let first = 3u * (row * (cols / 256u) + unit / 8u);
  let own = unit % 8u;
  let pair = side_word(at, first + 1u + own / 4u) >> (8u * (own % 4u));
  let steps = vec2<f32>(vec2<u32>(pair, pair >> 4u) & vec2<u32>(15u)) + 0.5;
  let scales = bitcast<f32>(side_word(at, first)) * steps;
  return Side(scales, -CODE_ZERO * scales, vec2<u32>());
}
