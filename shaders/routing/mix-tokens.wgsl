// mix-tokens: y[t, e] = sum over u of links[t, u] * values[u, e], u the tokens of the step
//
// links   [tokens, width] f32: 0 between sequences; columns from `tokens` on are not read
// values  [tokens, experts] f32 as bits; below -1e37 or infinite: masked, and so is what links to it
// y       [tokens, experts] f32 as bits: minus infinity where masked, NaN where a linked value is
// grid    one lane per element, WG lanes per workgroup (folded)
// parts   fn linear_group (lib/grid.wgsl)
override WG: u32;

const MASK_LIMIT = -1.0e37;
const INFINITY_BITS = 0x7f800000u;
const NAN_BITS = 0x7fc00000u;
const MASKED_BITS = 0xff800000u;

struct Params {
  tokens: u32,
  experts: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> links: array<f32>;
@group(0) @binding(1) var<storage, read> values: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

fn mixed(t: u32, e: u32) -> u32 {
  var sum = 0.0;
  var is_masked = false;
  for (var u = 0u; u < params.tokens; u += 1u) {
    let link = links[t * params.width + u];
    if (link == 0.0) {
      continue;
    }
    let word = values[u * params.experts + e];
    let magnitude = word & 0x7fffffffu;
    if (magnitude > INFINITY_BITS) {
      return NAN_BITS;
    }
    if (magnitude == INFINITY_BITS || bitcast<f32>(word) < MASK_LIMIT) {
      is_masked = true;
      continue;
    }
    sum += link * bitcast<f32>(word);
  }
  return select(bitcast<u32>(sum), MASKED_BITS, is_masked);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  if (at >= params.tokens * params.experts) {
    return;
  }
  y[at] = mixed(at / params.experts, at % params.experts);
}
