// rows (1): a lane computes one row of x. Common with lib/rows-4.wgsl: ROWS, XQuad, Acc, x_quad(), mad(), sum_at().
// needs  fn load_x(row: u32, quad: u32) -> vec4<f32>
const ROWS = 1u;
alias XQuad = vec4<f32>;
alias Acc = vec4<f32>; // one sum for each of four outputs

fn x_quad(row: u32, quad: u32) -> XQuad {
  return load_x(row, quad);
}

// w: a quad of columns of four outputs; a matrix column per output
fn mad(acc: Acc, x: XQuad, w: mat4x4<f32>) -> Acc {
  return acc + x * w;
}

// The sums are row by row, four outputs per row.
fn sum_at(sums: Acc, at: u32) -> f32 {
  return sums[at];
}
