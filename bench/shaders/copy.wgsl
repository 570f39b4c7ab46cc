// copy: y[i] = x[i], the plainest way to move bytes
//
// x, y   [count] vec4
// grid   ceil(count / (WG * PER_LANE)) workgroups, folded into x and y; a workgroup copies WG * PER_LANE neighbours
// parts  const PER_LANE; fn linear_group (lib/grid.wgsl)

struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> params: Params;

override WG: u32;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = linear_group(group, groups) * WG * PER_LANE + lane * PER_LANE;
  for (var i = first; i < min(first + PER_LANE, params.count); i += 1u) {
    y[i] = x[i];
  }
}
