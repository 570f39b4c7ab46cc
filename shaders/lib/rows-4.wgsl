// rows (4): a lane computes four rows of x, so that each weight is read and unpacked once for four products.
// Functions as in lib/rows-1.wgsl.
const ROWS = 4u;
alias XQuad = mat4x4<f32>; // a column for each row of x
alias Acc = mat4x4<f32>; // a column for each row of x: the sums for four outputs

fn x_quad(row: u32, quad: u32) -> XQuad {
  return mat4x4<f32>(load_x(row, quad), load_x(row + 1u, quad), load_x(row + 2u, quad), load_x(row + 3u, quad));
}

fn mad(acc: Acc, x: XQuad, w: mat4x4<f32>) -> Acc {
  return acc + transpose(w) * x;
}

fn sum_at(sums: Acc, at: u32) -> f32 {
  return sums[at / 4u][at % 4u];
}
