// unit (1 quad): a unit of x, and its products with four rows of weights. For f32 weights.
//
// A quad is four adjacent columns. XQuad is one quad of each row that a lane computes, and Acc holds the sums of their
// products with four outputs (lib/rows-*.wgsl). Common to all arities: XUnit, WUnit, x_unit(), mad_unit().
// needs  fn x_quad; fn mad(acc: Acc, x: XQuad, w: mat4x4<f32>) -> Acc; UNIT_VEC4 = 1
alias XUnit = array<XQuad, UNIT_VEC4>;
alias WUnit = array<vec4<f32>, UNIT_VEC4>;

fn x_unit(row: u32, unit: u32) -> XUnit {
  return XUnit(x_quad(row, unit));
}

fn mad_unit(acc: Acc, x: XUnit, a: WUnit, b: WUnit, c: WUnit, d: WUnit) -> Acc {
  return mad(acc, x[0], mat4x4<f32>(a[0], b[0], c[0], d[0]));
}
