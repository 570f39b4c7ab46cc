// latent-keys: appends to the cache of multi-head latent attention (DeepSeek-V2, arXiv:2405.04434)
//
// cache[past + t, :] = (x[t, : rank] / sqrt(mean(x[t, : rank]^2) + eps) * gain, rotated x[t, rank :])
//
// x       [tokens, rank + rotary] scalar      gain [rank] f32      cache [context, rank + rotary] scalar
// angles  [positions, rotary / 2] (cos, sin), f32: position of token t: past + t
// style   0: rotates the pairs (i, i + rotary / 2); 1: (2i, 2i + 1)
// grid    one workgroup per token (folded); lane l takes elements l, l + WG, ...
// parts   alias scalar; fn reduce_sum (lib/reduce-*.wgsl, uses WG); fn linear_group (lib/grid.wgsl)
override WG: u32;

struct Params {
  tokens: u32,
  past: u32,
  rotary: u32,
  rank: u32,
  style: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<scalar>;
@group(0) @binding(1) var<storage, read> gain: array<f32>;
@group(0) @binding(2) var<storage, read> angles: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> cache: array<scalar>;
@group(0) @binding(4) var<uniform> params: Params;

// Rotated element `e` of the part with positions, which begins at x[base].
fn turned(base: u32, position: u32, e: u32) -> f32 {
  let pairs = params.rotary / 2u;
  let is_pair = params.style == 1u;
  let first = select(e < pairs, e % 2u == 0u, is_pair);
  let distance = select(pairs, 1u, is_pair);
  let pair = select(e % pairs, e / 2u, is_pair);
  let other = f32(x[base + select(e - distance, e + distance, first)]);
  let turn = angles[position * pairs + pair];
  return f32(x[base + e]) * turn.x + select(other, -other, first) * turn.y;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let token = linear_group(group, groups);
  if (token >= params.tokens) {
    return;
  }
  let rank = params.rank;
  let size = rank + params.rotary;
  let base = token * size;
  let position = params.past + token;
  var squares = 0.0;
  for (var e = lane; e < rank; e += WG) {
    let value = f32(x[base + e]);
    squares += value * value;
  }
  let factor = 1.0 / sqrt(reduce_sum(squares, lane) / f32(rank) + params.eps);
  for (var e = lane; e < rank; e += WG) {
    cache[position * size + e] = scalar(f32(x[base + e]) * factor * gain[e]);
  }
  for (var e = lane; e < params.rotary; e += WG) {
    cache[position * size + rank + e] = scalar(turned(base + rank, position, e));
  }
}
