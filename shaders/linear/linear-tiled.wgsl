// linear-tiled: y[r, o] = multiplier * (sum_k x[r, k] * w[o, k] + bias[o]), for many rows
//
// x      [rows, cols] scalar      w [outs, cols] in any weight format      bias [outs] f32, optional
// y      [rows, outs] result      sums in f32
// grid   a workgroup per tile of 32 rows x TILE_OUTS; tiles along outs are innermost (folded). 32 columns at a time
//        are unpacked into workgroup memory. The 64 lanes form an 8 x 8 square; lane (i, j) sums rows i, i + 8, ... and
//        outputs j, j + 8, ..., so that adjacent lanes read adjacent rows.
// parts  alias scalar4, result; lib/grid, lib/weights-*, lib/scales; const TILE_OUTS = 32 or 64
// needs  cols a multiple of UNIT
override WG: u32; // 64

const TILE_ROWS = 32u;
const QUADS = 8u; // of columns, staged at a time
const STAGED_UNITS = 32u / UNIT; // of a row of w
const SIDE = 8u;

struct Params {
  rows: u32,
  cols: u32,
  outs: u32,
  scales: u32,
  multiplier: f32,
  first: u32, // row of w that is output 0 of this dispatch
  y_first: u32, // position of that output in a row of y and in bias
  y_cols: u32,
}

@group(0) @binding(0) var<storage, read> x: array<scalar4>;
@group(0) @binding(1) var<storage, read> w: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<result>;
#if ${bias}
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;
#else
@group(0) @binding(3) var<uniform> params: Params;
#endif

var<workgroup> x_tile: array<vec4<f32>, TILE_ROWS * QUADS>;
var<workgroup> w_tile: array<vec4<f32>, TILE_OUTS * QUADS>;

// Position of a quad in its tile, rotated by its row, so that the quads of eight rows are in different banks.
fn place(row: u32, quad: u32) -> u32 {
  return row * QUADS + (quad ^ (row % QUADS));
}

fn load_x(row: u32, quad: u32) -> vec4<f32> {
  let quads = params.cols / 4u;
  let value = vec4<f32>(x[min(row, params.rows - 1u) * quads + min(quad, quads - 1u)]);
  return select(vec4<f32>(), value, quad < quads);
}

fn stage_x(first_row: u32, first_quad: u32, lane: u32) {
  for (var at = lane; at < TILE_ROWS * QUADS; at += WG) {
    let row = at / QUADS;
    let quad = at % QUADS;
    x_tile[place(row, quad)] = load_x(first_row + row, first_quad + quad);
  }
}

fn stage_w(first_out: u32, first_unit: u32, lane: u32) {
  let units = params.cols / UNIT;
  for (var at = lane; at < TILE_OUTS * STAGED_UNITS; at += WG) {
    let out = at / STAGED_UNITS;
    let row = params.first + min(first_out + out, params.outs - 1u);
    let unit = at % STAGED_UNITS;
    let inside = min(first_unit + unit, units - 1u); // past the end of the row, x is zero
    let words = w[load_index(row * units + inside)];
    let values = unpack_unit(words, unit_scale(row, inside, params.cols, params.scales));
    for (var i = 0u; i < UNIT_VEC4; i++) {
      w_tile[place(out, unit * UNIT_VEC4 + i)] = values[i];
    }
  }
}

// Four rows of a tile, eight apart, as the columns of a matrix.
fn x_rows(row: u32, quad: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    x_tile[place(row, quad)],
    x_tile[place(row + SIDE, quad)],
    x_tile[place(row + 2u * SIDE, quad)],
    x_tile[place(row + 3u * SIDE, quad)],
  );
}

fn w_quad(out: u32, quad: u32) -> vec4<f32> {
  return w_tile[place(out, quad)];
}

fn write_one(row: u32, out: u32, sum: f32) {
  if (row < params.rows && out < params.outs) {
#if ${bias}
    y[row * params.y_cols + params.y_first + out] = result(params.multiplier * (sum + bias[params.y_first + out]));
#else
    y[row * params.y_cols + params.y_first + out] = result(params.multiplier * sum);
#endif
  }
}

// The sums of one output for a lane's four rows.
fn write_rows(row: u32, out: u32, sums: vec4<f32>) {
  var copy = sums; // indexed by a loop: the sums themselves stay in registers
  for (var i = 0u; i < 4u; i++) {
    write_one(row + i * SIDE, out, copy[i]);
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let strips = (params.outs + TILE_OUTS - 1u) / TILE_OUTS;
  let tile = linear_group(group, groups);
  let first_row = tile / strips * TILE_ROWS;
  if (first_row >= params.rows) {
    return;
  }
  let first_out = tile % strips * TILE_OUTS;
  let row = lane / SIDE;
  let out = lane % SIDE;
  // one vector per output of the lane, a component per row
  var sums0 = vec4<f32>();
  var sums1 = vec4<f32>();
  var sums2 = vec4<f32>();
  var sums3 = vec4<f32>();
#if ${wide}
  var sums4 = vec4<f32>();
  var sums5 = vec4<f32>();
  var sums6 = vec4<f32>();
  var sums7 = vec4<f32>();
#endif
  for (var quad = 0u; quad < params.cols / 4u; quad += QUADS) {
    stage_x(first_row, quad, lane);
    stage_w(first_out, quad / UNIT_VEC4, lane);
    workgroupBarrier();
    for (var i = 0u; i < QUADS; i++) {
      let columns = x_rows(row, i);
      sums0 += w_quad(out, i) * columns;
      sums1 += w_quad(out + SIDE, i) * columns;
      sums2 += w_quad(out + 2u * SIDE, i) * columns;
      sums3 += w_quad(out + 3u * SIDE, i) * columns;
#if ${wide}
      sums4 += w_quad(out + 4u * SIDE, i) * columns;
      sums5 += w_quad(out + 5u * SIDE, i) * columns;
      sums6 += w_quad(out + 6u * SIDE, i) * columns;
      sums7 += w_quad(out + 7u * SIDE, i) * columns;
#endif
    }
    workgroupBarrier(); // before the next iteration overwrites the tiles
  }
  write_rows(first_row + row, first_out + out, sums0);
  write_rows(first_row + row, first_out + out + SIDE, sums1);
  write_rows(first_row + row, first_out + out + 2u * SIDE, sums2);
  write_rows(first_row + row, first_out + out + 3u * SIDE, sums3);
#if ${wide}
  write_rows(first_row + row, first_out + out + 4u * SIDE, sums4);
  write_rows(first_row + row, first_out + out + 5u * SIDE, sums5);
  write_rows(first_row + row, first_out + out + 6u * SIDE, sums6);
  write_rows(first_row + row, first_out + out + 7u * SIDE, sums7);
#endif
}
