// side q4_k: four words for 256 weights (lib/k-scales.wgsl), one load.
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let index = row * (cols / 256u) + unit / 8u;
  return k_side(side_vec4(at, index), unit % 8u, 0u);
}
