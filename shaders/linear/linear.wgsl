// linear: y[r, o] = multiplier * (sum_k x[r, k] * w[o, k] + bias[o])
//
// x      [rows, cols] scalar      w [outs, cols] in any weight format      bias [outs] f32, optional
// y      [rows, outs] result      sums in f32
// grid   a workgroup per tile of ROWS x 4 outputs; tiles along outs are innermost (folded). Lane l takes the
//        units l, l + WG, ... of its rows of x and w, so that adjacent lanes load adjacent 16 bytes.
// parts  alias scalar4, result; lib/grid, lib/weights-*, lib/scales, lib/rows-*, lib/unit-*, lib/team-*
// needs  cols a multiple of UNIT; WG at least 16
//
// Past the edges, lanes compute the last row or output again and write nothing.
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

fn load_x(row: u32, quad: u32) -> vec4<f32> {
  return vec4<f32>(x[min(row, params.rows - 1u) * (params.cols / 4u) + quad]);
}

fn w_unit(out: u32, unit: u32) -> WUnit {
  let row = params.first + min(out, params.outs - 1u);
  let at = load_index(row * (params.cols / UNIT) + unit);
  return unpack_unit(w[at], unit_scale(row, unit, params.cols, params.scales));
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

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let strips = (params.outs + 3u) / 4u;
  let tile = linear_group(group, groups);
  let row = tile / strips * ROWS;
  if (row >= params.rows) {
    return;
  }
  let out = tile % strips * 4u;
  var acc = Acc();
  for (var unit = lane; unit < params.cols / UNIT; unit += WG) {
    let a = w_unit(out, unit);
    let b = w_unit(out + 1u, unit);
    let c = w_unit(out + 2u, unit);
    let d = w_unit(out + 3u, unit);
    acc = mad_unit(acc, x_unit(row, unit), a, b, c, d);
  }
  let sums = team_sum(acc, lane);
  if (lane < 4u * ROWS) {
    write_one(row + lane / 4u, out + lane % 4u, sum_at(sums, lane));
  }
}
