// side fp4: two words for 64 weights: a f32 factor, negative for a divisor, and a float of 8 bits (E4M3) for each 16
// (src/weights/fp4-groups.ts). Codes are 16 plus twice the values.
// parts  Side (lib/weights-codes.wgsl)

// Of exponent 0 the fraction has no leading one. No intermediate value is subnormal.
fn scales_of(bytes: vec2<u32>) -> vec2<f32> {
  let exponents = (bytes >> vec2<u32>(3u)) & vec2<u32>(15u);
  let whole = (bytes & vec2<u32>(7u)) + select(vec2<u32>(0u), vec2<u32>(8u), exponents > vec2<u32>(0u));
  return vec2<f32>(whole) * bitcast<vec2<f32>>((max(exponents, vec2<u32>(1u)) + 117u) << vec2<u32>(23u));
}

fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let first = 2u * (row * (cols / 64u) + unit / 2u);
  let factor = bitcast<f32>(side_word(at, first));
  let pair = side_word(at, first + 1u) >> (16u * (unit % 2u));
  let by = select(factor, -1.0 / factor, factor < 0.0);
  let scales = 0.5 * by * scales_of(vec2<u32>(pair, pair >> 8u));
  return Side(scales, -16.0 * scales, vec2<u32>());
}
