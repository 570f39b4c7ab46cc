// pair columns of floats: the part of the sum over columns of a row of the weights that falls to a lane
// parts  weight, x, params, LANES of routing/pair-linear.wgsl
fn columns_sum(matrix_row: u32, x_row: u32, first: u32) -> f32 {
  let matrix = matrix_row * params.cols;
  var sum = 0.0;
  for (var c = first; c < params.cols; c += LANES) {
    sum += weight[matrix + c] * x[x_row + c];
  }
  return sum;
}
