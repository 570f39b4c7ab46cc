// gate-sigmoid: y[t, c] = x[t, c] * sigmoid(gate[t, c])
//
// x, gate, y [tokens, cols] scalar
// grid    one lane per four columns (folded)
// parts   alias scalar4; fn sigmoid (lib/activation.wgsl); fn linear_group
// needs   cols a multiple of 4
override WG: u32;

struct Params {
  tokens: u32,
  cols: u32,
}

@group(0) @binding(0) var<storage, read> x: array<scalar4>;
@group(0) @binding(1) var<storage, read> gate: array<scalar4>;
@group(0) @binding(2) var<storage, read_write> y: array<scalar4>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  if (at >= params.tokens * params.cols / 4u) {
    return;
  }
  let g = vec4<f32>(gate[at]);
  let factor = vec4<f32>(sigmoid(g.x), sigmoid(g.y), sigmoid(g.z), sigmoid(g.w));
  y[at] = scalar4(vec4<f32>(x[at]) * factor);
}
