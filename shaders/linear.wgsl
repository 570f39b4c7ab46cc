// linear: y[r, o] = multiplier * (sum_k x[r, k] * w[o, k] + bias[o])
//
// x      [rows, cols] scalar      w [outs, cols] in any weight format      bias [outs] f32, where there is one
// y      [rows, outs] result      sums in f32
// grid   a workgroup has WG / LANES teams of LANES lanes, and a team a tile of TILE_ROWS x TILE_OUTS; tiles along outs
//        run fastest (folded). Lane p of a team takes the units p, p + LANES, ... of its rows of x and w.
// parts  alias scalar4, result; lib/grid, lib/weights-*, lib/scales, lib/rows-*, lib/unit-*, lib/team-*
// needs  cols a multiple of UNIT; consts LANES, TILE_ROWS, TILE_OUTS
//
// Past the edges a lane computes the last row or output again and writes nothing: control flow stays uniform.
override WG: u32;

struct Params {
  rows: u32,
  cols: u32,
  outs: u32,
  scales: u32,
  multiplier: f32,
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
  let row = min(out, params.outs - 1u);
  return unpack_unit(w[row * (params.cols / UNIT) + unit], unit_scale(row, unit, params.cols, params.scales));
}

fn write_one(row: u32, out: u32, sum: f32) {
  if (row < params.rows && out < params.outs) {
#if ${bias}
    y[row * params.outs + out] = result(params.multiplier * (sum + bias[out]));
#else
    y[row * params.outs + out] = result(params.multiplier * sum);
#endif
  }
}

fn write_row(row: u32, out: u32, sums: vec4<f32>) {
  write_one(row, out, sums.x);
  write_one(row, out + 1u, sums.y);
  write_one(row, out + 2u, sums.z);
  write_one(row, out + 3u, sums.w);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
#if ${subgroups}
  @builtin(subgroup_invocation_id) place: u32,
#endif
) {
#if ${subgroups}
  subgroup_place = place;
#endif
  let teams = WG / LANES;
  let strips = (params.outs + teams * TILE_OUTS - 1u) / (teams * TILE_OUTS);
  let number = linear_group(group, groups);
  let row = number / strips * TILE_ROWS;
  if (row >= params.rows) {
    return;
  }
  let out = (number % strips * teams + lane / LANES) * TILE_OUTS;
  var acc00 = Acc();
#if ${wide}
  var acc01 = Acc(); // outputs 4 to 7
#endif
#if ${tall}
  var acc10 = Acc(); // rows 4 to 7
#endif
#if ${both}
  var acc11 = Acc();
#endif
  for (var unit = team_place(lane); unit < params.cols / UNIT; unit += LANES) {
    let x0 = x_unit(row, unit);
#if ${tall}
    let x1 = x_unit(row + 4u, unit);
#endif
    {
      let a = w_unit(out, unit);
      let b = w_unit(out + 1u, unit);
      let c = w_unit(out + 2u, unit);
      let d = w_unit(out + 3u, unit);
      acc00 = mad_unit(acc00, x0, a, b, c, d);
#if ${tall}
      acc10 = mad_unit(acc10, x1, a, b, c, d);
#endif
    }
#if ${wide}
    {
      let a = w_unit(out + 4u, unit);
      let b = w_unit(out + 5u, unit);
      let c = w_unit(out + 6u, unit);
      let d = w_unit(out + 7u, unit);
      acc01 = mad_unit(acc01, x0, a, b, c, d);
#endif
#if ${both}
      acc11 = mad_unit(acc11, x1, a, b, c, d);
#endif
#if ${wide}
    }
#endif
  }
  finish(row, out, team_sum(acc00, lane), lane);
#if ${wide}
  finish(row, out + 4u, team_sum(acc01, lane), lane);
#endif
#if ${tall}
  finish(row + 4u, out, team_sum(acc10, lane), lane);
#endif
#if ${both}
  finish(row + 4u, out + 4u, team_sum(acc11, lane), lane);
#endif
}

fn finish(row: u32, out: u32, sums: Acc, lane: u32) {
  if (team_place(lane) == 0u) {
    write_acc(row, out, sums);
  }
}
