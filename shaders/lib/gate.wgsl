// gate (shared by gate-lane.wgsl and gate-group.wgsl): which experts a token goes to, and how much each counts.
//
//   a = score(logits)              selection value s = a + bias; groups that lose keep none of their experts
//   ids = the top_k experts by s, largest first, ties to the lower id
//   weights = scale * renorm(a of those)       of a, never of s
//
// logits  [tokens, experts] f32    bias [experts] f32; where s is below -1e37 the expert is masked: never chosen
// ids     [tokens, top_k] u32; weights [tokens, top_k] f32. Where too few may be chosen: id params.experts, weight 0
// needs   experts >= 1, 1 <= top_k <= min(64, experts); with groups: groups divides experts
const MASKED = -3.0e38;
const MASK_LIMIT = -1.0e37;
const LEAST_IN_PAIR = -1.0e38; // the sum of two masked values would be no number
const SOFTMAX = 0u; // score
const SIGMOID = 1u;
const BY_SUM = 1u; // renorm: w / (sum + eps)
const BY_SOFTMAX = 2u; // softmax over the chosen raw logits
const BY_CLAMPED_SUM = 3u; // w / max(sum, eps)
const NO_GROUPS = 0u; // group_score
const TWO_BEST = 1u;

struct Params {
  tokens: u32,
  experts: u32,
  top_k: u32,
  score: u32,
  renorm: u32,
  eps: f32,
  scale: f32,
  groups: u32,
  top_groups: u32,
  group_score: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn largest_logit(base: u32) -> f32 {
  var largest = logits[base];
  for (var e = 1u; e < params.experts; e += 1u) {
    largest = max(largest, logits[base + e]);
  }
  return largest;
}

fn sigmoid(value: f32) -> f32 {
  let small = exp(-abs(value));
  return select(small, 1.0, value >= 0.0) / (1.0 + small);
}

// a of one logit; for softmax before the division by the sum
fn raw_score(logit: f32, shift: f32) -> f32 {
  if (params.score == SOFTMAX) {
    return exp(logit - shift);
  }
  if (params.score == SIGMOID) {
    return sigmoid(logit);
  }
  return logit;
}

// What a group with these two largest selection values is worth.
fn worth(first: f32, second: f32, size: u32) -> f32 {
  if (params.group_score != TWO_BEST || size == 1u) {
    return first;
  }
  return max(first, LEAST_IN_PAIR) + max(second, LEAST_IN_PAIR);
}

// What each chosen a is multiplied with, given their sum; BY_SOFTMAX aside.
fn weight_factor(sum: f32) -> f32 {
  var divisor = 1.0;
  if (params.renorm == BY_SUM) {
    divisor = sum + params.eps;
  } else if (params.renorm == BY_CLAMPED_SUM) {
    divisor = max(sum, params.eps);
  }
  return select(params.scale / divisor, 0.0, divisor == 0.0);
}
