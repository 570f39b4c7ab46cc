// soft-cap: y = cap * tanh(x / cap): values between -cap and cap, nearly unchanged where they are small
//
// x, y [count] f32
// grid   one lane per element (folded)
// parts  fn linear_group (lib/grid.wgsl)
override WG: u32;

struct Params {
  count: u32,
  cap: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  if (at >= params.count) {
    return;
  }
  // tanh(10) is 1 in f32; of far larger numbers, some drivers compute the quotient of two infinities.
  y[at] = params.cap * tanh(clamp(x[at] / params.cap, -10.0, 10.0));
}
