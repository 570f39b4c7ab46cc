// tile-rows (1): a lane computes one row of x. Common with lib/tile-rows-8.wgsl: ROWS, XValue, XQuad, set_row(),
// x_columns(), emit_rows().
//
// set_row(row, at)          row `row` begins at vec4 `at`
// x_columns(quad)           four columns of all rows, zero past the row
// emit_rows(out, a, b)      passes the sums of one output of both strips to the kernel's emit(row, out, a, b)
// needs  x_quads: vec4s of a row; fn input4(at: u32) -> vec4<f32>; fn emit(row: u32, out: u32, a: f32, b: f32)
const ROWS = 1u;
alias XValue = f32; // one column
alias XQuad = vec4<f32>; // four columns

var<private> x_quads: u32;
var<private> x_row: u32;

fn set_row(row: u32, at: u32) {
  x_row = at;
}

fn x_columns(quad: u32) -> XQuad {
  return select(vec4<f32>(), input4(x_row + quad), quad < x_quads);
}

fn emit_rows(out: u32, a: XValue, b: XValue) {
  emit(0u, out, a, b);
}
