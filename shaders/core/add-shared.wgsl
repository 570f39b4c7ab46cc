// add-shared: y[t, c] = a[t, c] + factor * b[t, c]; factor = sigmoid(gate[t]) if gated, else params.scale
//
// a, b, y [tokens, cols] scalar      gate [tokens] f32
// grid    one lane per four columns (folded)
// parts   alias scalar4; fn sigmoid (lib/activation.wgsl); fn linear_group
// needs   cols a multiple of 4
override WG: u32;

struct Params {
  tokens: u32,
  cols: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> a: array<scalar4>;
@group(0) @binding(1) var<storage, read> b: array<scalar4>;
@group(0) @binding(2) var<storage, read_write> y: array<scalar4>;
#if ${gated}
@group(0) @binding(3) var<storage, read> gate: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;
#else
@group(0) @binding(3) var<uniform> params: Params;
#endif

fn factor_of(token: u32) -> f32 {
#if ${gated}
  return sigmoid(gate[token]);
#else
  return params.scale;
#endif
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  let token = at / (params.cols / 4u);
  if (token >= params.tokens) {
    return;
  }
  y[at] = scalar4(vec4<f32>(a[at]) + factor_of(token) * vec4<f32>(b[at]));
}
