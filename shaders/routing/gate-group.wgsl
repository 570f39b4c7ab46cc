// gate-group: lib/gate.wgsl with one workgroup per token.
//
// grid    one workgroup per token (folded); lane l takes experts l, l + WG, ... Every expert counts the
//         experts before it, which needs no sort and few barriers; the order of sums does not depend on WG
// parts   lib/gate.wgsl; const FROM_LOGITS; with groups lib/gate-groups-group.wgsl; with hooks hooked-gate.wgsl;
//         fn linear_group (lib/grid.wgsl)
// needs   experts <= CAPACITY
override WG: u32;
override CAPACITY: u32;

const MAX_TOP_K = 64u;

var<workgroup> scores: array<f32, CAPACITY>; // raw: a is share(scores[e], sum)
var<workgroup> selection: array<f32, CAPACITY>; // s
var<workgroup> chosen: array<u32, MAX_TOP_K>; // 1 + expert; 0: none

// scores[e] for the lane's experts
fn write_scores(base: u32, lane: u32) {
  let shift = row_shift(base);
  for (var e = lane; e < params.experts; e += WG) {
    scores[e] = raw_score(logits[base + e], shift);
  }
}

fn sum_of_scores() -> f32 {
  if (!SUMS_ROW) {
    return 1.0;
  }
  var sum = 0.0;
  for (var e = 0u; e < params.experts; e += 1u) {
    sum += scores[e];
  }
  return sum;
}

fn selection_at(e: u32) -> f32 {
  return selection[e];
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

// The value from which the weight of expert e is computed.
fn value_at(base: u32, e: u32, total: f32) -> f32 {
#if ${from_row}
  return value_of(base, e);
#else
  if (FROM_LOGITS) {
    return logits[base + e];
  }
  return share(scores[e], total);
#endif
}

// scale * raw / sum; each form has its own order of operations, so that results stay bit-identical across versions
fn scaled_share(raw: f32, sum: f32) -> f32 {
  return params.scale * raw / sum;
}

fn largest_value(base: u32, total: f32) -> f32 {
  var largest = MASKED;
  for (var r = 0u; r < params.top_k; r += 1u) {
    if (chosen[r] != 0u) {
      largest = max(largest, value_at(base, chosen[r] - 1u, total));
    }
  }
  return largest;
}

fn sum_of_raw(base: u32, total: f32, largest: f32) -> f32 {
  var sum = 0.0;
  for (var r = 0u; r < params.top_k; r += 1u) {
    if (chosen[r] != 0u) {
      sum += raw_weight(value_at(base, chosen[r] - 1u, total), largest);
    }
  }
  return sum;
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
  let total = sum_of_scores();
  for (var e = lane; e < params.experts; e += WG) {
    let value = share(scores[e], total) + bias[e];
#if ${hooked}
    let hooked = hooked_selection(token, e, value);
    selection[e] = select(MASKED, hooked, is_replayed(token) || may_choose(e, hooked));
#else
    selection[e] = select(MASKED, value, may_choose(e, value));
#endif
  }
  workgroupBarrier();
#if ${grouped}
#if ${hooked}
  if (!is_replayed(token)) {
    restrict_to_groups(lane);
  }
#else
  restrict_to_groups(lane);
#endif
#endif
  for (var e = lane; e < params.experts; e += WG) {
    let value = selection[e];
    if (value > MASK_LIMIT) {
#if ${hooked}
      let rank = slot_of(token, rank_of(e, value));
#else
      let rank = rank_of(e, value);
#endif
      if (rank < params.top_k) {
        chosen[rank] = e + 1u;
      }
    }
  }
  workgroupBarrier();
  var largest = 0.0;
  var sum = 1.0;
  if (NORMALISES) {
    largest = largest_value(base, total);
    sum = sum_of_raw(base, total, largest);
  }
  for (var r = lane; r < params.top_k; r += WG) {
    let at = token * params.top_k + r;
    ids[at] = params.experts;
    weights[at] = 0.0;
    if (chosen[r] != 0u) {
      let e = chosen[r] - 1u;
      ids[at] = e;
#if ${hooked}
      weights[at] = hooked_weight(token, e, factored(weight(raw_weight(value_at(base, e, total), largest), sum), e));
#else
      weights[at] = factored(weight(raw_weight(value_at(base, e, total), largest), sum), e);
#endif
    }
  }
}
