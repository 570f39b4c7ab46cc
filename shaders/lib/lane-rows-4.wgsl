// lane-rows (4): a lane computes four rows of x, so that each weight is read and unpacked once for four products.
// As lib/lane-rows-1.wgsl.
const ROWS = 4u;
alias XValue = vec4<f32>; // one component per row
alias XQuad = mat4x4<f32>; // four columns

fn x_columns(quad: u32) -> XQuad {
  return transpose(mat4x4<f32>(
    load_x(first_row, quad),
    load_x(first_row + 1u, quad),
    load_x(first_row + 2u, quad),
    load_x(first_row + 3u, quad),
  ));
}

fn value_at(value: XValue, row: u32) -> f32 {
  return value[row];
}
