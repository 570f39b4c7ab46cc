// key-bias: cache[past + t, h] = exp(slope[h] * softplus(x[t, h])), what the scores of a key are raised by (Doge)
//
// x      [tokens, heads] f32; heads are key heads
// slope  [heads] f32
// cache  [context, heads] f32
// grid   one lane per element of x (folded)
// parts  fn linear_group (lib/grid.wgsl)
override WG: u32;

struct Params {
  tokens: u32,
  past: u32,
  heads: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> slope: array<f32>;
@group(0) @binding(2) var<storage, read_write> cache: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// log(1 + e^x), without overflow.
fn softplus(value: f32) -> f32 {
  return max(value, 0.0) + log(1.0 + exp(-abs(value)));
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  if (at >= params.tokens * params.heads) {
    return;
  }
  cache[params.past * params.heads + at] = exp(slope[at % params.heads] * softplus(x[at]));
}
