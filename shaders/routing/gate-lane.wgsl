// gate-lane: lib/gate.wgsl with one lane per token, which scans the logits once per chosen expert.
//
// grid    workgroups of WG tokens (folded)
// parts   lib/gate.wgsl; const FROM_LOGITS; with groups lib/gate-groups-lane.wgsl; fn linear_group (lib/grid.wgsl)
// marks   hooked: hooked-gate-lane.wgsl has the choice
override WG: u32;

// Values common to all experts of the lane's token.
struct Token {
  base: u32, // offset of its logits
  shift: f32,
  total: f32, // the sum of the raw scores, if the score uses it
}

// A position in the order by value, largest first; on ties, lower index first.
struct Place {
  value: f32,
  index: u32,
}

var<private> token: Token;

fn read_token(base: u32) -> Token {
  let shift = row_shift(base);
  if (!SUMS_ROW) {
    return Token(base, shift, 1.0);
  }
  var total = 0.0;
  for (var e = 0u; e < params.experts; e += 1u) {
    total += raw_score(logits[base + e], shift);
  }
  return Token(base, shift, total);
}

fn score_at(e: u32) -> f32 {
  return share(raw_score(logits[token.base + e], token.shift), token.total);
}

fn is_after(value: f32, index: u32, place: Place) -> bool {
  return value < place.value || (value == place.value && index >= place.index);
}

// The value from which the weight of expert e is computed.
fn value_at(e: u32) -> f32 {
#if ${from_row}
  return value_of(token.base, e);
#else
  if (FROM_LOGITS) {
    return logits[token.base + e];
  }
  return score_at(e);
#endif
}

// scale * raw / sum; each form has its own order of operations, so that results stay bit-identical across versions
fn scaled_share(raw: f32, sum: f32) -> f32 {
  return raw * (params.scale / sum);
}

#if ${hooked}
#else
fn selection_at(e: u32) -> f32 {
  return score_at(e) + bias[e];
}

// The best expert at or after `from_place`; its index is params.experts if none is left.
fn next_expert(from_place: Place) -> Place {
  var best = Place(MASK_LIMIT, params.experts);
  for (var e = 0u; e < params.experts; e += 1u) {
    let value = selection_at(e);
    if (may_choose(e, value) && value > best.value && is_after(value, e, from_place)) {
      best = Place(value, e);
    }
  }
  return best;
}

// Converts the values of `count` chosen experts from `first` on to weights.
fn weigh(first: u32, count: u32, largest: f32) {
  var sum = 0.0;
  for (var at = first; at < first + count; at += 1u) {
    let raw = raw_weight(weights[at], largest);
    weights[at] = raw;
    sum += raw;
  }
  for (var at = first; at < first + count; at += 1u) {
    weights[at] = factored(weight(weights[at], sum), ids[at]);
  }
}

fn choose_experts(number: u32) {
  let first = number * params.top_k;
  var place = Place(3.0e38, 0u);
  var count = 0u;
  var largest = MASKED;
  for (var r = 0u; r < params.top_k; r += 1u) {
    place = next_expert(place);
    ids[first + r] = place.index;
    weights[first + r] = 0.0;
    if (place.index < params.experts) {
      let value = value_at(place.index);
      weights[first + r] = value;
      largest = max(largest, value);
      count += 1u;
    }
    place.index += 1u;
  }
  weigh(first, count, largest);
}

#endif
@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = linear_group(group, groups) * WG + lane;
  if (number >= params.tokens) {
    return;
  }
  token = read_token(number * params.experts);
#if ${grouped}
  restrict_to_groups(lane);
#endif
  choose_experts(number);
}
