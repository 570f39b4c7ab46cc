// x_unit (4 quads, shared): lanes of a subgroup that work on the same unit of x load four quads between them.
// needs  fn spread0 to spread3, subgroup_place (lib/rows-*-subgroup.wgsl); uniform control flow
fn x_unit(row: u32, unit: u32) -> XUnit {
  let mine = x_quad(row, unit * 4u + subgroup_place % 4u);
  return XUnit(spread0(mine), spread1(mine), spread2(mine), spread3(mine));
}
