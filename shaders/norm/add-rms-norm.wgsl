// add-rms-norm: sum = x + scale * branch; y = sum / rms(sum) * gain, row by row
//
// x, branch, sum [rows, cols] f32: the residual stream      y [rows, cols] scalar      gain [cols] f32      sums in f32
// grid   one workgroup per row (folded); lane l takes the column quads l, l + WG, ...
// parts  alias scalar4; fn reduce_sum (lib/reduce-*.wgsl, uses WG); fn linear_group (lib/grid.wgsl)
// needs  cols a multiple of 4; WG a power of two
override WG: u32;

struct Params {
  rows: u32,
  cols: u32,
  eps: f32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> branch: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> gain: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> sum: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<scalar4>;
@group(0) @binding(5) var<uniform> params: Params;

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
  let quads = params.cols / 4u;
  let base = row * quads;
  var squares = vec4<f32>(0.0);
  for (var c = lane; c < quads; c += WG) {
    let value = x[base + c] + params.scale * branch[base + c];
    sum[base + c] = value;
    squares += value * value;
  }
  let mean = reduce_sum(squares.x + squares.y + squares.z + squares.w, lane) / f32(params.cols);
  let factor = 1.0 / sqrt(mean + params.eps);
  for (var c = lane; c < quads; c += WG) {
    y[base + c] = scalar4(sum[base + c] * factor * gain[c]); // the same lane wrote it
  }
}
