// side iq4_nl: an f16 scale for 32 weights.
// parts  scale_value (lib/half.wgsl), side_of (lib/codes-iq4.wgsl)
fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let index = row * (cols / 32u) + unit;
  let both = side_word(at, index / 2u);
  return side_of(scale_value(both >> (16u * (index % 2u))));
}
