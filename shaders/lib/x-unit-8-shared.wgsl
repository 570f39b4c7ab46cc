// x_unit (8 quads, shared): lanes of a subgroup that work on the same unit of x load four quads between them.
// needs  fn spread0 to spread3, subgroup_place (lib/rows-*-subgroup.wgsl); uniform control flow
fn x_unit(row: u32, unit: u32) -> XUnit {
  let low = x_quad(row, unit * 8u + subgroup_place % 4u);
  let high = x_quad(row, unit * 8u + 4u + subgroup_place % 4u);
  return XUnit(
    spread0(low),
    spread1(low),
    spread2(low),
    spread3(low),
    spread0(high),
    spread1(high),
    spread2(high),
    spread3(high),
  );
}
