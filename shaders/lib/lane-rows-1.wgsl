// lane-rows (1): a lane works on one row of x. Shared with lib/lane-rows-4.wgsl: ROWS, XValue, XQuad, x_columns(),
// write_sums().
// needs  fn load_x(row: u32, quad: u32) -> vec4<f32>; first_row; fn write_one(row: u32, out: u32, sum: f32)
const ROWS = 1u;
alias XValue = f32;
alias XQuad = vec4<f32>; // four columns

fn x_columns(quad: u32) -> XQuad {
  return load_x(first_row, quad);
}

fn write_sums(out: u32, sums: XValue) {
  write_one(first_row, out, sums);
}
