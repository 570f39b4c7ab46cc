// held-rows: y[t, c] = the value of column c at the first position of the run of `every` positions that token t is in:
// x's, or that which an earlier step kept; the first token of a run is kept
//
// x      [tokens, cols] f32
// kept   [runs, cols] f32, the rows of the first positions; written if params.keeps is 1
// y      [tokens, cols] f32
// grid   one lane per element of y (folded)
// parts  fn linear_group (lib/grid.wgsl)
// needs  every >= 1
override WG: u32;

struct Params {
  tokens: u32,
  past: u32,
  cols: u32,
  every: u32,
  keeps: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> kept: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  if (at >= params.tokens * params.cols) {
    return;
  }
  let column = at % params.cols;
  let position = params.past + at / params.cols;
  let run = position / params.every;
  let first = run * params.every;
  // Rows of runs that begin in this step are written, rows of others are read: no lane touches another's.
  if (first < params.past) {
    y[at] = kept[run * params.cols + column];
    return;
  }
  let value = x[(first - params.past) * params.cols + column];
  y[at] = value;
  if (position == first && params.keeps == 1u) {
    kept[run * params.cols + column] = value;
  }
}
