// side q5_k: twelve words for 256 weights: four of scales (lib/k-scales.wgsl), then the fifth bits of eight units.
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let index = row * (cols / 256u) + unit / 8u;
  let high = side_word(at, 12u * index + 4u + unit % 8u);
  return k_side(side_vec4(at, 3u * index), unit % 8u, high);
}
