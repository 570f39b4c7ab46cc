// gate-lane: lib/gate.wgsl with one lane per token, which scans the logits once per chosen expert.
//
// grid    workgroups of WG tokens (folded)
// parts   lib/gate.wgsl; const FROM_LOGITS; with groups lib/gate-groups-lane.wgsl; with hooks hooked-gate.wgsl;
//         fn linear_group (lib/grid.wgsl)
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

fn selection_at(e: u32) -> f32 {
#if ${hooked}
  return hooked_selection(token_number(), e, score_at(e) + bias[e]);
#else
  return score_at(e) + bias[e];
#endif
}

#if ${hooked}
fn token_number() -> u32 {
  return token.base / params.experts;
}

#endif
fn is_after(value: f32, index: u32, place: Place) -> bool {
  return value < place.value || (value == place.value && index >= place.index);
}

// The best expert at or after `from_place`; its index is params.experts if none is left.
fn next_expert(from_place: Place) -> Place {
  var best = Place(MASK_LIMIT, params.experts);
  for (var e = 0u; e < params.experts; e += 1u) {
    let value = selection_at(e);
#if ${hooked}
    let is_allowed = is_replayed(token_number()) || may_choose(e, value);
#else
    let is_allowed = may_choose(e, value);
#endif
    if (is_allowed && value > best.value && is_after(value, e, from_place)) {
      best = Place(value, e);
    }
  }
  return best;
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

// Converts the values of `count` chosen experts from `first` on to weights.
fn weigh(first: u32, count: u32, largest: f32) {
  var sum = 0.0;
  for (var at = first; at < first + count; at += 1u) {
#if ${hooked}
    if (ids[at] == params.experts) {
      continue;
    }
#endif
    let raw = raw_weight(weights[at], largest);
    weights[at] = raw;
    sum += raw;
  }
  for (var at = first; at < first + count; at += 1u) {
#if ${hooked}
    if (ids[at] != params.experts) {
      weights[at] = hooked_weight(token_number(), ids[at], factored(weight(weights[at], sum), ids[at]));
    }
#else
    weights[at] = factored(weight(weights[at], sum), ids[at]);
#endif
  }
}

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
  let first = number * params.top_k;
  var place = Place(3.0e38, 0u);
  var largest = MASKED;
#if ${hooked}
  for (var r = 0u; r < params.top_k; r += 1u) {
    ids[first + r] = params.experts;
    weights[first + r] = 0.0;
  }
  for (var rank = 0u; rank < ranks_read(number); rank += 1u) {
    place = next_expert(place);
    let slot = slot_of(number, rank);
    if (place.index < params.experts && slot < params.top_k) {
      let value = value_at(place.index);
      ids[first + slot] = place.index;
      weights[first + slot] = value;
      largest = max(largest, value);
    }
    place.index += 1u;
  }
  weigh(first, params.top_k, largest);
#else
  var count = 0u;
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
#endif
}
