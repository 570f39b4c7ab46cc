// rms-norm: y[r, c] = x[r, c] * gain[c] / sqrt(mean_c(x[r, c]^2) + eps) (Zhang and Sennrich 2019)
//
// x [rows, cols] f32: the residual stream      y [rows, cols] scalar      gain [cols] f32      sums in f32
// grid   one workgroup per row (folded); lane l takes columns l, l + WG, ...
// parts  alias scalar; fn reduce_sum (lib/reduce-*.wgsl, uses WG); fn linear_group (lib/grid.wgsl)
// needs  cols >= 1; WG a power of two
override WG: u32;

struct Params {
  rows: u32,
  cols: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gain: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<scalar>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = linear_group(group, groups);
  if (row >= params.rows) {
    return;
  }
  let base = row * params.cols;
  var squares = 0.0;
  for (var c = lane; c < params.cols; c += WG) {
    let value = x[base + c];
    squares += value * value;
  }
  let mean = reduce_sum(squares, lane) / f32(params.cols);
  let factor = 1.0 / sqrt(mean + params.eps);
  for (var c = lane; c < params.cols; c += WG) {
    y[base + c] = scalar(x[base + c] * factor * gain[c]);
  }
}
