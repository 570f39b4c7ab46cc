// unit (8 quads): as lib/unit-1.wgsl, for q4_0 weights. Unrolled: software adapters keep an array in memory if a
// loop indexes it.
alias XUnit = array<XQuad, UNIT_VEC4>;
alias WUnit = array<vec4<f32>, UNIT_VEC4>;

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

fn mad_unit(acc: Acc, x: XUnit, a: WUnit, b: WUnit, c: WUnit, d: WUnit) -> Acc {
  let sum0 = mad(acc, x[0], mat4x4<f32>(a[0], b[0], c[0], d[0]));
  let sum1 = mad(sum0, x[1], mat4x4<f32>(a[1], b[1], c[1], d[1]));
  let sum2 = mad(sum1, x[2], mat4x4<f32>(a[2], b[2], c[2], d[2]));
  let sum3 = mad(sum2, x[3], mat4x4<f32>(a[3], b[3], c[3], d[3]));
  let sum4 = mad(sum3, x[4], mat4x4<f32>(a[4], b[4], c[4], d[4]));
  let sum5 = mad(sum4, x[5], mat4x4<f32>(a[5], b[5], c[5], d[5]));
  let sum6 = mad(sum5, x[6], mat4x4<f32>(a[6], b[6], c[6], d[6]));
  return mad(sum6, x[7], mat4x4<f32>(a[7], b[7], c[7], d[7]));
}
