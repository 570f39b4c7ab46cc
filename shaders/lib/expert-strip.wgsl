// expert-strip: some adjacent rows of a matrix of an expert's record, for the tiled kernels.
// parts  lib/expert-matrix.wgsl
struct Strip {
  matrix: Matrix,
  first: u32,
  last: u32, // the last row of the matrix: rows are clamped to it
}

fn strip_row(strip: Strip, at: u32) -> u32 {
  return min(strip.first + at, strip.last);
}
