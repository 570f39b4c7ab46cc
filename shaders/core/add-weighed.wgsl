// add-weighed: sum[r, c] = weights[c] * x[r, c] + scale * branch[r, c]
//
// x, branch, sum [rows, cols] f32: the residual stream      weights [cols] f32
// grid   one lane per four columns (folded)
// parts  fn linear_group (lib/grid.wgsl)
// needs  cols a multiple of 4
override WG: u32;

struct Params {
  rows: u32,
  cols: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> branch: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> sum: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  let quads = params.cols / 4u;
  if (at >= params.rows * quads) {
    return;
  }
  sum[at] = weights[at % quads] * x[at] + params.scale * branch[at];
}
