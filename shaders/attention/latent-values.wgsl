// latent-values: values of multi-head latent attention from its weighted latents (DeepSeek-V2, arXiv:2405.04434)
//
// y[t, h, d] = weight[h, d, :] . o[t, h, : rank]
//
// o       [tokens, heads, rank + rotary] scalar, as vec4: what attention over the cache gives; the rest is not read
// weight  [heads * dims, rank] f32, as vec4      y [tokens, heads, dims] scalar
// grid    one lane per element of y (folded)
// parts   alias scalar, scalar4; fn linear_group (lib/grid.wgsl)
// needs   rank and rotary multiples of 4
override WG: u32;

struct Params {
  tokens: u32,
  heads: u32,
  dims: u32,
  rotary: u32,
  rank: u32,
}

@group(0) @binding(0) var<storage, read> o: array<scalar4>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<scalar>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  let row = at / params.dims; // token * heads + head
  if (row >= params.tokens * params.heads) {
    return;
  }
  let quads = params.rank / 4u;
  let from_o = row * (params.rank + params.rotary) / 4u;
  let from_weight = (row % params.heads * params.dims + at % params.dims) * quads;
  var sum = 0.0;
  for (var i = 0u; i < quads; i += 1u) {
    sum += dot(weight[from_weight + i], vec4<f32>(o[from_o + i]));
  }
  y[at] = scalar(sum);
}
