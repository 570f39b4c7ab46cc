// x_unit (1 quad): a unit of the rows of x that a lane works on.
// needs  fn x_quad(row: u32, quad: u32) -> XQuad (lib/rows-*.wgsl); alias XUnit (lib/unit-1.wgsl)
fn x_unit(row: u32, unit: u32) -> XUnit {
  return XUnit(x_quad(row, unit));
}
