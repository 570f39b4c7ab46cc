// x_unit (2 quads): a unit of the rows of x that a lane works on.
// needs  fn x_quad(row: u32, quad: u32) -> XQuad (lib/rows-*.wgsl); alias XUnit (lib/unit-2.wgsl)
fn x_unit(row: u32, unit: u32) -> XUnit {
  let quad = unit * 2u;
  return XUnit(
    x_quad(row, quad),
    x_quad(row, quad + 1u),
  );
}
