// lane-rows (8): a lane computes eight rows of x. As lib/lane-rows-1.wgsl.
const ROWS = 8u;
alias XValue = mat2x4<f32>; // one component per row, four rows per matrix column
alias XQuad = array<XValue, 4>; // four columns

fn four_rows(row: u32, quad: u32) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(
    load_x(row, quad),
    load_x(row + 1u, quad),
    load_x(row + 2u, quad),
    load_x(row + 3u, quad),
  ));
}

fn x_columns(quad: u32) -> XQuad {
  let a = four_rows(first_row, quad);
  let b = four_rows(first_row + 4u, quad);
  return XQuad(XValue(a[0], b[0]), XValue(a[1], b[1]), XValue(a[2], b[2]), XValue(a[3], b[3]));
}

fn value_at(value: XValue, row: u32) -> f32 {
  return value[row / 4u][row % 4u];
}
