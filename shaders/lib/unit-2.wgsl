// unit (2 quads): as lib/unit-1.wgsl, for f16 and bf16 weights. Unrolled: software adapters keep an array in memory if
// a loop indexes it.
alias XUnit = array<XQuad, UNIT_VEC4>;
alias WUnit = array<vec4<f32>, UNIT_VEC4>;

fn x_unit(row: u32, unit: u32) -> XUnit {
  let quad = unit * 2u;
  return XUnit(
    x_quad(row, quad),
    x_quad(row, quad + 1u),
  );
}

fn mad_unit(acc: Acc, x: XUnit, a: WUnit, b: WUnit, c: WUnit, d: WUnit) -> Acc {
  let sum0 = mad(acc, x[0], mat4x4<f32>(a[0], b[0], c[0], d[0]));
  return mad(sum0, x[1], mat4x4<f32>(a[1], b[1], c[1], d[1]));
}
