// gate-group: lib/gate.wgsl with one workgroup per token.
//
// grid    one workgroup per token (folded); lane l takes experts l, l + WG, ... Every expert counts those before it, so
//         that nothing is sorted and few barriers are needed; sums run in one order, whatever WG is
// parts   lib/gate.wgsl; fn linear_group (lib/grid.wgsl)
// needs   experts <= CAPACITY
override WG: u32;
override CAPACITY: u32;

const MAX_TOP_K = 64u;

var<workgroup> scores: array<f32, CAPACITY>; // a
var<workgroup> selection: array<f32, CAPACITY>; // s
var<workgroup> group_values: array<f32, CAPACITY>;
var<workgroup> chosen: array<u32, MAX_TOP_K>; // 1 + expert; 0: none

// scores[e] for the lane's experts; softmax is divided by its sum later
fn write_scores(base: u32, lane: u32) {
  var shift = 0.0;
  if (params.score == SOFTMAX) {
    shift = largest_logit(base);
  }
  for (var e = lane; e < params.experts; e += WG) {
    scores[e] = raw_score(logits[base + e], shift);
  }
}

fn softmax_sum() -> f32 {
  if (params.score != SOFTMAX) {
    return 1.0;
  }
  var sum = 0.0;
  for (var e = 0u; e < params.experts; e += 1u) {
    sum += scores[e];
  }
  return sum;
}

// The value of group g: its largest selection value, or the sum of its two largest.
fn group_value(g: u32, size: u32) -> f32 {
  var first = MASKED;
  var second = MASKED;
  for (var e = g * size; e < (g + 1u) * size; e += 1u) {
    let value = selection[e];
    second = max(second, min(first, value));
    first = max(first, value);
  }
  return worth(first, second, size);
}

// Masks the experts of the lane's groups that are not among the top_groups.
fn mask_group(g: u32, size: u32) {
  let value = group_values[g];
  var before = 0u;
  for (var other = 0u; other < params.groups; other += 1u) {
    let rival = group_values[other];
    before += select(0u, 1u, rival > value || (rival == value && other < g));
  }
  if (before < params.top_groups) {
    return;
  }
  for (var e = g * size; e < (g + 1u) * size; e += 1u) {
    selection[e] = MASKED;
  }
}

// How many experts come before e.
fn rank_of(e: u32, value: f32) -> u32 {
  var before = 0u;
  for (var other = 0u; other < e; other += 1u) {
    before += select(0u, 1u, selection[other] >= value);
  }
  for (var other = e + 1u; other < params.experts; other += 1u) {
    before += select(0u, 1u, selection[other] > value);
  }
  return before;
}

fn sum_of_chosen(total: f32) -> f32 {
  var sum = 0.0;
  for (var r = 0u; r < params.top_k; r += 1u) {
    if (chosen[r] != 0u) {
      sum += scores[chosen[r] - 1u] / total;
    }
  }
  return sum;
}

// Softmax over the chosen raw logits, for the chosen one at rank r.
fn softmax_weight(base: u32, r: u32) -> f32 {
  var shift = MASKED;
  for (var other = 0u; other < params.top_k; other += 1u) {
    if (chosen[other] != 0u) {
      shift = max(shift, logits[base + chosen[other] - 1u]);
    }
  }
  var sum = 0.0;
  for (var other = 0u; other < params.top_k; other += 1u) {
    if (chosen[other] != 0u) {
      sum += exp(logits[base + chosen[other] - 1u] - shift);
    }
  }
  return params.scale * exp(logits[base + chosen[r] - 1u] - shift) / sum;
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
  write_scores(base, lane);
  for (var r = lane; r < params.top_k; r += WG) {
    chosen[r] = 0u;
  }
  workgroupBarrier();
  let total = softmax_sum();
  for (var e = lane; e < params.experts; e += WG) {
    selection[e] = scores[e] / total + bias[e];
  }
  workgroupBarrier();
  if (params.group_score != NO_GROUPS) {
    let size = params.experts / params.groups;
    for (var g = lane; g < params.groups; g += WG) {
      group_values[g] = group_value(g, size);
    }
    workgroupBarrier();
    for (var g = lane; g < params.groups; g += WG) {
      mask_group(g, size);
    }
    workgroupBarrier();
  }
  for (var e = lane; e < params.experts; e += WG) {
    let value = selection[e];
    if (value > MASK_LIMIT) {
      let rank = rank_of(e, value);
      if (rank < params.top_k) {
        chosen[rank] = e + 1u;
      }
    }
  }
  workgroupBarrier();
  let factor = weight_factor(sum_of_chosen(total));
  for (var r = lane; r < params.top_k; r += WG) {
    let at = token * params.top_k + r;
    ids[at] = params.experts;
    weights[at] = 0.0;
    if (chosen[r] != 0u) {
      let e = chosen[r] - 1u;
      ids[at] = e;
      if (params.renorm == BY_SOFTMAX) {
        weights[at] = softmax_weight(base, r);
      } else {
        weights[at] = scores[e] / total * factor;
      }
    }
  }
}
