// lane-rows (1): a lane computes one row of x. Common with lib/lane-rows-4.wgsl: ROWS, XValue, XQuad, x_columns(),
// value_at().
// needs  fn load_x(row: u32, quad: u32) -> vec4<f32>; first_row
const ROWS = 1u;
alias XValue = f32;
alias XQuad = vec4<f32>; // four columns

fn x_columns(quad: u32) -> XQuad {
  return load_x(first_row, quad);
}

// The component of one row.
fn value_at(value: XValue, row: u32) -> f32 {
  return value;
}
