// tile-rows (8): a lane computes eight rows of x, so that each weight is read and unpacked once for eight products.
// As lib/tile-rows-1.wgsl.
const ROWS = 8u;
alias XValue = mat2x4<f32>; // one column: a component per row, four rows per matrix column
alias XQuad = array<XValue, 4>; // four columns

var<private> x_quads: u32;
var<private> x_rows_low: vec4<u32>;
var<private> x_rows_high: vec4<u32>;

fn set_row(row: u32, at: u32) {
  if (row < 4u) {
    x_rows_low[row] = at;
  } else {
    x_rows_high[row - 4u] = at;
  }
}

fn four_rows(at: vec4<u32>) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(input4(at.x), input4(at.y), input4(at.z), input4(at.w)));
}

fn x_columns(quad: u32) -> XQuad {
  if (quad >= x_quads) {
    return XQuad();
  }
  let a = four_rows(x_rows_low + quad);
  let b = four_rows(x_rows_high + quad);
  return XQuad(XValue(a[0], b[0]), XValue(a[1], b[1]), XValue(a[2], b[2]), XValue(a[3], b[3]));
}

fn emit_four(row: u32, out: u32, a: vec4<f32>, b: vec4<f32>) {
  emit(row, out, a.x, b.x);
  emit(row + 1u, out, a.y, b.y);
  emit(row + 2u, out, a.z, b.z);
  emit(row + 3u, out, a.w, b.w);
}

fn emit_rows(out: u32, a: XValue, b: XValue) {
  emit_four(0u, out, a[0], b[0]);
  emit_four(4u, out, a[1], b[1]);
}
