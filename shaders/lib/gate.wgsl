// gate (shared by gate-lane.wgsl and gate-group.wgsl): selects the experts of a token and computes their weights.
//
//   a = score(logits)              selection value s = a + bias; the selection stage restricts the experts
//   ids = the top_k experts by s, largest first, ties to the lower id
//   weights = weigh(their a, or their logits), not s; with factors, times the expert's
//
// logits  [tokens, experts] f32    bias [experts] f32; an expert with s below -1e37 is masked: never chosen
// ids     [tokens, top_k] u32; weights [tokens, top_k] f32. If too few may be chosen: id params.experts, weight 0
// factors [experts] f32, of rules that have them
// marks   factored: with factors; hooked: with the hooks of a request (hooked-gate.wgsl, which has the other bindings)
// parts   the stages: lib/score-*.wgsl, lib/select-*.wgsl, lib/weigh-*.wgsl
// needs   experts >= 1, 1 <= top_k <= min(64, experts); with groups: groups divides experts
const MASKED = -3.0e38;
const MASK_LIMIT = -1.0e37;

struct Params {
  tokens: u32,
  experts: u32,
  top_k: u32,
  groups: u32,
  top_groups: u32,
  eps: f32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
#if ${hooked}
#else
#if ${factored}
@group(0) @binding(4) var<storage, read> factors: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
#else
@group(0) @binding(4) var<uniform> params: Params;
#endif
#endif

// What the weight of expert e is multiplied by.
fn factored(weight: f32, e: u32) -> f32 {
#if ${factored}
  return weight * factors[e];
#else
  return weight;
#endif
}
