// latent-query: queries of multi-head latent attention in the space of its latents (DeepSeek-V2, arXiv:2405.04434)
//
// y[t, h, :] = (weight[h] q[t, h, : nope], rotated q[t, h, nope :])
//
// q       [tokens, heads, nope + rotary] scalar, as vec4      y [tokens, heads, rank + rotary] scalar
// weight  [heads * rank, nope] f32, as vec4: the transposed key half of the map from latents to keys and values
// angles  [positions, rotary / 2] (cos, sin), f32: position of token t: past + t
// style   0: rotates the pairs (i, i + rotary / 2); 1: (2i, 2i + 1)
// grid    one lane per element of y (folded)
// parts   alias scalar, scalar4; fn linear_group (lib/grid.wgsl)
// needs   nope and rotary multiples of 4
override WG: u32;

struct Params {
  tokens: u32,
  past: u32,
  heads: u32,
  nope: u32,
  rotary: u32,
  rank: u32,
  style: u32,
}

@group(0) @binding(0) var<storage, read> q: array<scalar4>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> angles: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<scalar>;
@group(0) @binding(4) var<uniform> params: Params;

fn query(row: u32, e: u32) -> f32 {
  let at = row * (params.nope + params.rotary) + e;
  return f32(q[at / 4u][at % 4u]);
}

// Rotated element `e` of the part with positions.
fn turned(row: u32, e: u32) -> f32 {
  let pairs = params.rotary / 2u;
  let is_pair = params.style == 1u;
  let first = select(e < pairs, e % 2u == 0u, is_pair);
  let distance = select(pairs, 1u, is_pair);
  let pair = select(e % pairs, e / 2u, is_pair);
  let other = query(row, params.nope + select(e - distance, e + distance, first));
  let turn = angles[(params.past + row / params.heads) * pairs + pair];
  return query(row, params.nope + e) * turn.x + select(other, -other, first) * turn.y;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  let size = params.rank + params.rotary;
  let row = at / size; // token * heads + head
  let e = at % size;
  if (row >= params.tokens * params.heads) {
    return;
  }
  if (e >= params.rank) {
    y[at] = scalar(turned(row, e - params.rank));
    return;
  }
  let quads = params.nope / 4u;
  let from_q = row * (params.nope + params.rotary) / 4u;
  let from_weight = (row % params.heads * params.rank + e) * quads;
  var sum = 0.0;
  for (var i = 0u; i < quads; i += 1u) {
    sum += dot(weight[from_weight + i], vec4<f32>(q[from_q + i]));
  }
  y[at] = scalar(sum);
}
