// expert-rows: products of four rows of a matrix of an expert's record with inputs held in registers.
//
// parts  lib/expert-matrix.wgsl, lib/dot-*.wgsl
#if ${sided}
// One unit of four rows.
fn rows_dot(matrix: Matrix, rows: vec4<u32>, unit: u32, inputs: UnitInputs) -> vec4<f32> {
  let words = pool_load4(matrix.slot, matrix.base + load_indices(rows * matrix.units + unit));
  return vec4<f32>(
    unit_dot(words.a, inputs, scale_of(matrix, rows.x, unit)),
    unit_dot(words.b, inputs, scale_of(matrix, rows.y, unit)),
    unit_dot(words.c, inputs, scale_of(matrix, rows.z, unit)),
    unit_dot(words.d, inputs, scale_of(matrix, rows.w, unit)),
  );
}
#else
// The scales of one unit of four rows.
fn scales_of(matrix: Matrix, rows: vec4<u32>, unit: u32) -> vec4<f32> {
  if (!SCALED) {
    return vec4<f32>(1.0);
  }
  let cols = matrix.units * UNIT;
  let index = vec4<u32>(
    unit_scale_index(rows.x, unit, cols),
    unit_scale_index(rows.y, unit, cols),
    unit_scale_index(rows.z, unit, cols),
    unit_scale_index(rows.w, unit, cols),
  );
  let words = pool_word4(matrix.slot, matrix.scales + index / 2u) >> (16u * (index % 2u));
  return vec4<f32>(
    scale_value(words.x),
    scale_value(words.y),
    scale_value(words.z),
    scale_value(words.w),
  );
}

// One unit of four rows.
fn rows_dot(matrix: Matrix, rows: vec4<u32>, unit: u32, inputs: UnitInputs) -> vec4<f32> {
  let words = pool_load4(matrix.slot, matrix.base + load_indices(rows * matrix.units + unit));
  let dots = vec4<f32>(
    unit_dot(words.a, inputs),
    unit_dot(words.b, inputs),
    unit_dot(words.c, inputs),
    unit_dot(words.d, inputs),
  );
  return scales_of(matrix, rows, unit) * dots;
}
#endif

// Rows first to first + 3, clamped to the last row.
fn row_block(first: u32, rows: u32) -> vec4<u32> {
  return min(vec4<u32>(first, first + 1u, first + 2u, first + 3u), vec4<u32>(rows - 1u));
}
