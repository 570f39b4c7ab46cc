// hook-logits: changes router logits by the hooks of a request, in place:
//
//   z = logits + bias; then, from this z: z_e += soft_e * deviation(z), or max(z) + epsilon where hard_e is not 0;
//   then -3e38 where mask_e is not 0, which hooked gates never choose
//
// logits  [tokens, experts] f32, in place
// edits   the rows bias, soft, hard and mask, each [experts] f32; then the number that the count of experts is less by
//         in the divisor of the variance (1: of a sample, 0: of a population), and epsilon
// grid    one workgroup per token (folded); lane l takes experts l, l + WG, ...
// parts   fn reduce_sum, reduce_max (lib/reduce-workgroup.wgsl); fn linear_group (lib/grid.wgsl)
// needs   experts >= 1; WG a power of two
override WG: u32;

const MASKED = -3.0e38;

struct Params {
  tokens: u32,
  experts: u32,
}

@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read> edits: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// z before it is steered
fn biased(base: u32, e: u32) -> f32 {
  return logits[base + e] + edits[e];
}

fn deviation(base: u32, lane: u32) -> f32 {
  var own_sum = 0.0;
  for (var e = lane; e < params.experts; e += WG) {
    own_sum += biased(base, e);
  }
  let mean = reduce_sum(own_sum, lane) / f32(params.experts);
  var own_squares = 0.0;
  for (var e = lane; e < params.experts; e += WG) {
    let difference = biased(base, e) - mean;
    own_squares += difference * difference;
  }
  let degrees = edits[4u * params.experts];
  return sqrt(reduce_sum(own_squares, lane) / max(f32(params.experts) - degrees, 1.0));
}

fn largest(base: u32, lane: u32) -> f32 {
  var own = MASKED;
  for (var e = lane; e < params.experts; e += WG) {
    own = max(own, biased(base, e));
  }
  return reduce_max(own, lane);
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
  let base = token * params.experts;
  let unit = deviation(base, lane);
  let top = largest(base, lane) + edits[4u * params.experts + 1u];
  for (var e = lane; e < params.experts; e += WG) {
    var z = biased(base, e);
    let soft = edits[params.experts + e];
    if (soft != 0.0) {
      z += soft * unit;
    }
    z = select(z, top, edits[2u * params.experts + e] != 0.0);
    logits[base + e] = select(z, MASKED, edits[3u * params.experts + e] != 0.0);
  }
}
