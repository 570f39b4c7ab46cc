// expert-strip: some neighbouring rows of a matrix of an expert's record, for the tiled kernels.
// parts  lib/expert-matrix.wgsl
struct Strip {
  matrix: Matrix,
  first: u32,
  last: u32, // the matrix's last row: past it that one again
}

fn strip_row(strip: Strip, at: u32) -> u32 {
  return min(strip.first + at, strip.last);
}
