// weights f32: UNIT = 4 weights in one vec4<u32>.
//
// A matrix [rows, cols] is stored row-major from vec4 `base` on; unit u of row r is at
// base + r * (cols / UNIT) + u. unpack_unit(words, scale) returns the unit as UNIT / 4 vec4s; scale is unused.
// Common to all formats: UNIT, UNIT_VEC4, SCALED, unpack_unit(), unit_scale_index().
const UNIT = 4u;
const UNIT_VEC4 = 1u;
const SCALED = false;

fn unpack_unit(words: vec4<u32>, scale: f32) -> array<vec4<f32>, UNIT_VEC4> {
  return array<vec4<f32>, UNIT_VEC4>(bitcast<vec4<f32>>(words));
}

// Index of the scale of a unit among the 16-bit scales: unused here.
fn unit_scale_index(row: u32, unit: u32, cols: u32) -> u32 {
  return 0u;
}
