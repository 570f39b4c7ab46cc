// x_unit (8 quads): a unit of the rows of x that a lane works on.
// needs  fn x_quad(row: u32, quad: u32) -> XQuad (lib/rows-*.wgsl); alias XUnit (lib/unit-8.wgsl)
fn x_unit(row: u32, unit: u32) -> XUnit {
  let quad = unit * 8u;
  return XUnit(
    x_quad(row, quad),
    x_quad(row, quad + 1u),
    x_quad(row, quad + 2u),
    x_quad(row, quad + 3u),
    x_quad(row, quad + 4u),
    x_quad(row, quad + 5u),
    x_quad(row, quad + 6u),
    x_quad(row, quad + 7u),
  );
}
