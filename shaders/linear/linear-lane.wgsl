// linear-lane: y[r, o] = multiplier * (sum_k x[r, k] * w[o, k] + bias[o]), by independent lanes
//
// x      [rows, cols] scalar      w [outs, cols] in any weight format      bias [outs] f32, optional
// y      [rows, outs] result      sums in f32
// grid   a lane per tile of ROWS x OUTS; tiles along outs are innermost (folded)
// parts  alias scalar4, result; lib/grid, lib/weights-*, lib/scales, lib/dot-unit-*, lib/lane-rows-*
// needs  cols a multiple of UNIT; const OUTS
//        all weights finite: past the end of a row, a step multiplies weights of the next row by zero
//
// For software adapters: a load costs as much as thirty products there, so a lane loads and prepares a unit of x once
// for all its outputs, without workgroup memory or barriers. The loop over outputs is not unrolled: it would not fit
// the instruction cache.
override WG: u32;

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

var<private> first_row: u32;

fn load_x(row: u32, quad: u32) -> vec4<f32> {
  let quads = params.cols / 4u;
  let value = vec4<f32>(x[min(row, params.rows - 1u) * quads + quad]);
  return select(vec4<f32>(), value, quad < quads); // past the end of the row, weights are multiplied by 0
}

fn load_w(at: u32) -> vec4<u32> {
  return w[at];
}

fn write_one(row: u32, out: u32, sum: f32) {
  if (row < params.rows) {
#if ${bias}
    y[row * params.y_cols + params.y_first + out] = result(params.multiplier * (sum + bias[params.y_first + out]));
#else
    y[row * params.y_cols + params.y_first + out] = result(params.multiplier * sum);
#endif
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let strips = (params.outs + OUTS - 1u) / OUTS;
  let tile = linear_group(group, groups) * WG + lane;
  first_row = tile / strips * ROWS;
  if (first_row >= params.rows) {
    return;
  }
  let first_out = tile % strips * OUTS;
  let count = min(OUTS, params.outs - first_out);
  let first_w = params.first + first_out;
  let units = params.cols / UNIT;
  var sums: array<XValue, OUTS>;
  for (var unit = 0u; unit < units; unit += STEP) {
    let in = step_inputs(unit);
    for (var i = 0u; i < count; i++) {
      let row = first_w + i;
      let at = load_index(row * units + unit);
#if ${sided}
      sums[i] += step_dot(at, in, unit_scale(row, unit, params.cols, params.scales));
#else
      sums[i] += step_dot(at, in) * unit_scale(row, unit, params.cols, params.scales);
#endif
    }
  }
  for (var i = 0u; i < count; i++) {
    for (var row = 0u; row < ROWS; row++) {
      write_one(first_row + row, first_out + i, value_at(sums[i], row));
    }
  }
}
