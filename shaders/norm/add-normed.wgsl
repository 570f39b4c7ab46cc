// add-normed: y = factor * (x + scale * branch / rms(branch) * gain), row by row: the norm behind a block
//
// x, branch, y [rows, cols] f32: the residual stream      gain [cols] f32      factor [1] f32      sums in f32
// grid   one workgroup per row (folded); lane l takes columns l, l + WG, ...
// parts  fn reduce_sum (lib/reduce-*.wgsl, uses WG); fn linear_group (lib/grid.wgsl)
// marks  scaled: with factor, otherwise 1
// needs  cols >= 1; WG a power of two
override WG: u32;

struct Params {
  rows: u32,
  cols: u32,
  eps: f32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> branch: array<f32>;
@group(0) @binding(2) var<storage, read> gain: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
#if ${scaled}
@group(0) @binding(4) var<storage, read> factor: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
#else
@group(0) @binding(4) var<uniform> params: Params;
#endif

fn scaled(value: f32) -> f32 {
#if ${scaled}
  return factor[0] * value;
#else
  return value;
#endif
}

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
    let value = branch[base + c];
    squares += value * value;
  }
  let mean = reduce_sum(squares, lane) / f32(params.cols);
  let share = params.scale / sqrt(mean + params.eps);
  for (var c = lane; c < params.cols; c += WG) {
    y[base + c] = scaled(x[base + c] + branch[base + c] * share * gain[c]);
  }
}
