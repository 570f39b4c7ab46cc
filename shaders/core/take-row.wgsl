// take-row: y[0, :] = x[row, :]
//
// x [rows, cols] scalar      y [1, cols] scalar
// grid   one lane per four columns (folded)
// parts  alias scalar4; fn linear_group
// needs  cols a multiple of 4; row within x
override WG: u32;

struct Params {
  row: u32,
  cols: u32,
}

@group(0) @binding(0) var<storage, read> x: array<scalar4>;
@group(0) @binding(1) var<storage, read_write> y: array<scalar4>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = params.cols / 4u;
  let at = linear_group(group, groups) * WG + lane;
  if (at >= quads) {
    return;
  }
  y[at] = x[params.row * quads + at];
}
