// pair columns of ternary codes: as lib/pair-floats.wgsl, for 16 codes of 2 bits in a word, 0, 1 and 2 for -1, 0 and 1.
// Nothing is multiplied; rows are padded to whole words.
fn columns_sum(matrix_row: u32, x_row: u32, first: u32) -> f32 {
  let words = (params.cols + 15u) / 16u;
  var sum = 0.0;
  for (var word = first; word < words; word += LANES) {
    let at = x_row + 16u * word;
    let count = min(params.cols - 16u * word, 16u);
    var codes = weight[matrix_row * words + word];
    for (var i = 0u; i < count; i += 1u) {
      if ((codes & 3u) == 2u) {
        sum += x[at + i];
      }
      if ((codes & 3u) == 0u) {
        sum -= x[at + i];
      }
      codes >>= 2u;
    }
  }
  return sum;
}
