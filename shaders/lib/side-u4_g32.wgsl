// side u4_g32: one word for 32 weights: the upper 24 bits of an f32 scale, and a zero of 8 bits.
// parts  Side (lib/weights-codes.wgsl)
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let both = side_word(at, row * (cols / 32u) + unit);
  let scale = bitcast<f32>(both & 0xffffff00u);
  let offset = -scale * f32(both & 0xffu);
  return Side(vec2<f32>(scale), vec2<f32>(offset), vec2<u32>());
}
