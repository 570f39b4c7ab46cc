// side mxfp4: a byte e for 32 weights, whose codes have the scale 2^(e - 128). It is 0 for e <= 1, where it is
// subnormal.
// parts  Side (lib/weights-codes.wgsl)
const CODE_ZERO = 16.0;

fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let index = row * (cols / 32u) + unit;
  let four = side_word(at, index / 4u);
  let exponent = (four >> (8u * (index % 4u))) & 0xffu;
  let scale = bitcast<f32>((max(exponent, 1u) - 1u) << 23u);
  return Side(vec2<f32>(scale), vec2<f32>(-CODE_ZERO * scale), vec2<u32>());
}
