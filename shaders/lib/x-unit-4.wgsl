// x_unit (4 quads): a unit of the rows of x that a lane works on.
// needs  fn x_quad(row: u32, quad: u32) -> XQuad (lib/rows-*.wgsl); alias XUnit (lib/unit-4.wgsl)
fn x_unit(row: u32, unit: u32) -> XUnit {
  let quad = unit * 4u;
  return XUnit(
    x_quad(row, quad),
    x_quad(row, quad + 1u),
    x_quad(row, quad + 2u),
    x_quad(row, quad + 3u),
  );
}
