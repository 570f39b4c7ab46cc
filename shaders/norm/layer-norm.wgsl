// layer-norm: y[r, c] = (x[r, c] - mean_c) * gain[c] / sqrt(variance_c + eps) + shift[c] (Ba et al. 2016)
//
// x [rows, cols] f32: the residual stream      y [rows, cols] scalar      gain, shift [cols] f32      sums in f32
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
@group(0) @binding(2) var<storage, read> shift: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<scalar>;
@group(0) @binding(4) var<uniform> params: Params;

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
  var sum = 0.0;
  for (var c = lane; c < params.cols; c += WG) {
    sum += x[base + c];
  }
  let mean = reduce_sum(sum, lane) / f32(params.cols);
  // In a second pass, because a mean square less the square of the mean loses all digits where the mean is large.
  var squares = 0.0;
  for (var c = lane; c < params.cols; c += WG) {
    let value = x[base + c] - mean;
    squares += value * value;
  }
  let factor = 1.0 / sqrt(reduce_sum(squares, lane) / f32(params.cols) + params.eps);
  for (var c = lane; c < params.cols; c += WG) {
    y[base + c] = scalar((x[base + c] - mean) * factor * gain[c] + shift[c]);
  }
}
