// expert-staged: the products of a tile of ROWS rows of x with two strips of 32 rows of weights, through workgroup
// memory.
//
// Functions, and requirements on the kernel, as in lib/expert-lane.wgsl.
// parts  lib/weights-*.wgsl, lib/expert-strip.wgsl, lib/expert-matrix.wgsl, the pools
// needs  WG = 64; fn input4(at: u32) -> vec4<f32>; uniform control flow
//
// 32 columns at a time are unpacked into workgroup memory. The lanes form an 8 x 8 square: lane (i, j) sums rows i, i +
// 8, ... and outputs j, j + 8, ... of both strips, so that adjacent lanes read adjacent rows. The sums of a row do not
// depend on other rows.
const ROWS = 32u;
const OUTS = 32u;
const QUADS = 8u; // of columns, staged at a time
const STAGED_UNITS = 32u / UNIT; // of a row of weights
const SIDE = 8u;

var<workgroup> row_bases: array<u32, ROWS>;
var<workgroup> x_tile: array<vec4<f32>, ROWS * QUADS>;
var<workgroup> w_tile: array<vec4<f32>, 2u * OUTS * QUADS>; // strip a, then strip b
var<private> sums_a: mat4x4<f32>; // a column for each row of x, a row for each output
var<private> sums_b: mat4x4<f32>;

fn strip_of(y: u32, lane: u32) -> u32 {
  return y;
}

fn begin_tile(lane: u32) {
  if (lane < ROWS) {
    row_bases[lane] = row_base(lane);
  }
  workgroupBarrier();
}

// Position of a quad in its tile, rotated by its row, so that the quads of eight rows are in different banks.
fn tile_place(row: u32, quad: u32) -> u32 {
  return row * QUADS + (quad ^ (row % QUADS));
}

fn stage_weights(strip: Strip, first_unit: u32, out: u32, unit: u32, to: u32) {
  let units = strip.matrix.units;
  let row = strip_row(strip, out);
  let inside = min(first_unit + unit, units - 1u); // past the end of the row, x is zero
  let words = pool_load(strip.matrix.slot, strip.matrix.base + load_index(row * units + inside));
  let values = unpack_unit(words, scale_of(strip.matrix, row, inside));
  for (var i = 0u; i < UNIT_VEC4; i += 1u) {
    w_tile[to + tile_place(out, unit * UNIT_VEC4 + i)] = values[i];
  }
}

// Four columns of a row, zero past its end.
fn load_x(row: u32, quad: u32, quads: u32) -> vec4<f32> {
  return select(vec4<f32>(), input4(row_bases[row] + min(quad, quads - 1u)), quad < quads);
}

fn stage(a: Strip, b: Strip, first_quad: u32, lane: u32) {
  let quads = a.matrix.units * UNIT_VEC4;
  for (var at = lane; at < ROWS * QUADS; at += WG) {
    x_tile[tile_place(at / QUADS, at % QUADS)] = load_x(at / QUADS, first_quad + at % QUADS, quads);
  }
  let first_unit = first_quad / UNIT_VEC4;
  for (var at = lane; at < 2u * OUTS * STAGED_UNITS; at += WG) {
    let out = at / STAGED_UNITS;
    var strip = a;
    if (out >= OUTS) {
      strip = b;
    }
    stage_weights(strip, first_unit, out % OUTS, at % STAGED_UNITS, out / OUTS * (OUTS * QUADS));
  }
}

// Four rows of a tile, eight apart, as the columns of a matrix.
fn x_rows(row: u32, quad: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    x_tile[tile_place(row, quad)],
    x_tile[tile_place(row + SIDE, quad)],
    x_tile[tile_place(row + 2u * SIDE, quad)],
    x_tile[tile_place(row + 3u * SIDE, quad)],
  );
}

fn w_rows(side: u32, out: u32, quad: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    w_tile[side + tile_place(out, quad)],
    w_tile[side + tile_place(out + SIDE, quad)],
    w_tile[side + tile_place(out + 2u * SIDE, quad)],
    w_tile[side + tile_place(out + 3u * SIDE, quad)],
  );
}

fn add_products(a: Strip, b: Strip, lane: u32) {
  let quads = a.matrix.units * UNIT_VEC4;
  let row = lane / SIDE;
  let out = lane % SIDE;
  var a_sums = mat4x4<f32>();
  var b_sums = mat4x4<f32>();
  for (var quad = 0u; quad < quads; quad += QUADS) {
    stage(a, b, quad, lane);
    workgroupBarrier();
    for (var i = 0u; i < QUADS; i += 1u) {
      let columns = x_rows(row, i);
      a_sums += transpose(w_rows(0u, out, i)) * columns;
      b_sums += transpose(w_rows(OUTS * QUADS, out, i)) * columns;
    }
    workgroupBarrier(); // before the next iteration overwrites the tiles
  }
  sums_a = a_sums;
  sums_b = b_sums;
}

fn emit_sums(lane: u32) {
  for (var i = 0u; i < 4u; i += 1u) {
    for (var j = 0u; j < 4u; j += 1u) {
      emit(lane / SIDE + SIDE * i, lane % SIDE + SIDE * j, sums_a[i][j], sums_b[i][j]);
    }
  }
}
