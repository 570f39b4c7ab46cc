// side of ternary blocks: an f32 scale for 256 weights, whose codes are 1 too large.
// parts  Side (lib/weights-codes.wgsl)
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let scale = bitcast<f32>(side_word(at, row * (cols / 256u) + unit / 8u));
  return Side(vec2<f32>(scale), vec2<f32>(-scale), vec2<u32>(0u, unit % 2u));
}
