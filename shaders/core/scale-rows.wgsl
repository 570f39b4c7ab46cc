// scale-rows: y[t, c] = factors[first + t] * x[t, c]
//
// x, y [tokens, cols] scalar      factors f32: of tokens, or of positions with `first` the first token's
// grid   one lane per four columns (folded)
// parts  alias scalar4; fn linear_group
// needs  cols a multiple of 4
override WG: u32;

struct Params {
  tokens: u32,
  cols: u32,
  first: u32,
}

@group(0) @binding(0) var<storage, read> x: array<scalar4>;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<scalar4>;
@group(0) @binding(3) var<uniform> params: Params;

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
  y[at] = scalar4(factors[params.first + token] * vec4<f32>(x[at]));
}
