// expert-lane: the products of ROWS rows of x with two strips of OUTS rows of weights, by independent lanes.
//
// Shared with lib/expert-staged.wgsl:
//   strip_of(y, lane)         the strip that a lane computes, in row y of the grid
//   begin_tile(lane)          stores the addresses of the rows of x
//   add_products(a, b, lane)  adds the products with two strips of an expert's matrices (one slot) to the lane's sums
//   emit_sums(lane)           passes the sums to the kernel's emit(row, out, a, b); out is relative to the first rows
//                             of the strips
// parts  lib/tile-rows-*.wgsl, lib/step-*.wgsl, lib/expert-strip.wgsl, lib/expert-matrix.wgsl, the pool; const OUTS
// needs  one pool; fn row_base(row: u32) -> u32, the offset of a row of x in vec4s, for any row < ROWS
//        all weights finite: past the end of a row, a step multiplies weights of the next row by zero
//
// For software adapters, where a load costs as much as thirty products: a unit of x is loaded and prepared once for all
// outputs, without workgroup memory or barriers. The sums of a row do not depend on other rows.
var<private> sums_a: array<XValue, OUTS>;
var<private> sums_b: array<XValue, OUTS>;

fn strip_of(y: u32, lane: u32) -> u32 {
  return y * WG + lane;
}

fn begin_tile(lane: u32) {
  for (var row = 0u; row < ROWS; row += 1u) {
    set_row(row, row_base(row));
  }
}

fn load_w(at: u32) -> vec4<u32> {
  return pool_load(0u, at);
}

fn add_products(a: Strip, b: Strip, lane: u32) {
  let units = a.matrix.units;
  x_quads = units * UNIT_VEC4;
  for (var unit = 0u; unit < units; unit += STEP) {
    let in = step_inputs(unit);
    for (var i = 0u; i < OUTS; i += 1u) {
      let a_row = strip_row(a, i);
      let b_row = strip_row(b, i);
      let a_at = a.matrix.base + load_index(a_row * units + unit);
      let b_at = b.matrix.base + load_index(b_row * units + unit);
#if ${sided}
      sums_a[i] += step_dot(a_at, in, scale_of(a.matrix, a_row, unit));
      sums_b[i] += step_dot(b_at, in, scale_of(b.matrix, b_row, unit));
#else
      sums_a[i] += step_dot(a_at, in) * scale_of(a.matrix, a_row, unit);
      sums_b[i] += step_dot(b_at, in) * scale_of(b.matrix, b_row, unit);
#endif
    }
  }
}

fn emit_sums(lane: u32) {
  for (var i = 0u; i < OUTS; i += 1u) {
    emit_rows(i, sums_a[i], sums_b[i]);
  }
}
