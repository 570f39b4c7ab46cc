// glu-activation: y[r, c] = act(gate_up[r, c]) * gate_up[r, width + c]
//
// gate_up [rows, 2 * width] scalar, the gate half first      y [rows, width] scalar
// grid    one lane per four columns (folded)
// parts   alias scalar4; fn activate (lib/activation.wgsl); fn linear_group
// needs   width a multiple of 4
override WG: u32;

struct Params {
  rows: u32,
  width: u32,
  act: u32,
}

@group(0) @binding(0) var<storage, read> gate_up: array<scalar4>;
@group(0) @binding(1) var<storage, read_write> y: array<scalar4>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = params.width / 4u;
  let at = linear_group(group, groups) * WG + lane;
  let row = at / quads;
  if (row >= params.rows) {
    return;
  }
  let gate = vec4<f32>(gate_up[row * quads + at]); // 2 * row * quads + (at - row * quads)
  let up = vec4<f32>(gate_up[row * quads + at + quads]);
  let acted = vec4<f32>(
    activate(params.act, gate.x),
    activate(params.act, gate.y),
    activate(params.act, gate.z),
    activate(params.act, gate.w),
  );
  y[at] = scalar4(acted * up);
}
