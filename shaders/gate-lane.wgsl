// gate-lane: lib/gate.wgsl with one lane per token, which goes over the logits once per expert that it chooses.
//
// grid    workgroups of WG tokens (folded)
// parts   lib/gate.wgsl; fn linear_group (lib/grid.wgsl)
override WG: u32;

// What stays the same for all experts of a token.
struct Token {
  base: u32, // of its logits
  shift: f32, // the largest logit
  total: f32, // the sum of the softmax, else 1
}

// A place in an order by value, largest first, ties to the lower index.
struct Place {
  value: f32,
  index: u32,
}

fn read_token(token: u32) -> Token {
  let base = token * params.experts;
  if (params.score != SOFTMAX) {
    return Token(base, 0.0, 1.0);
  }
  let shift = largest_logit(base);
  var total = 0.0;
  for (var e = 0u; e < params.experts; e += 1u) {
    total += exp(logits[base + e] - shift);
  }
  return Token(base, shift, total);
}

fn score_of(token: Token, e: u32) -> f32 {
  return raw_score(logits[token.base + e], token.shift) / token.total;
}

fn selection_of(token: Token, e: u32) -> f32 {
  return score_of(token, e) + bias[e];
}

fn is_after(value: f32, index: u32, place: Place) -> bool {
  return value < place.value || (value == place.value && index >= place.index);
}

fn group_worth(token: Token, g: u32, size: u32) -> f32 {
  var first = MASKED;
  var second = MASKED;
  for (var e = g * size; e < (g + 1u) * size; e += 1u) {
    let value = selection_of(token, e);
    second = max(second, min(first, value));
    first = max(first, value);
  }
  return worth(first, second, size);
}

// Just past the last group that is kept: groups at or after it lose.
fn group_limit(token: Token, size: u32) -> Place {
  var limit = Place(3.0e38, 0u);
  for (var kept = 0u; kept < params.top_groups; kept += 1u) {
    var best = Place(MASKED, params.groups);
    for (var g = 0u; g < params.groups; g += 1u) {
      let value = group_worth(token, g, size);
      if (is_after(value, g, limit) && (value > best.value || best.index == params.groups)) {
        best = Place(value, g);
      }
    }
    limit = Place(best.value, best.index + 1u);
  }
  return limit;
}

// The best expert at or after `from`; its index is params.experts where none is left.
fn next_expert(token: Token, from_place: Place, limit: Place, size: u32) -> Place {
  var best = Place(MASK_LIMIT, params.experts);
  var is_kept = true;
  for (var e = 0u; e < params.experts; e += 1u) {
    if (params.group_score != NO_GROUPS && e % size == 0u) {
      is_kept = !is_after(group_worth(token, e / size, size), e / size, limit);
    }
    let value = selection_of(token, e);
    if (is_kept && value > best.value && is_after(value, e, from_place)) {
      best = Place(value, e);
    }
  }
  return best;
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
  let token = read_token(number);
  let size = params.experts / params.groups;
  var limit = Place(MASKED, 0u);
  if (params.group_score != NO_GROUPS) {
    limit = group_limit(token, size);
  }
  let first = number * params.top_k;
  var place = Place(3.0e38, 0u);
  var sum = 0.0;
  var shift = MASKED; // the largest chosen logit
  for (var r = 0u; r < params.top_k; r += 1u) {
    place = next_expert(token, place, limit, size);
    ids[first + r] = place.index;
    var weight = 0.0;
    if (place.index < params.experts) {
      let logit = logits[token.base + place.index];
      shift = max(shift, logit);
      weight = select(score_of(token, place.index), logit, params.renorm == BY_SOFTMAX);
    }
    weights[first + r] = weight;
    sum += weight;
    place.index += 1u;
  }
  if (params.renorm == BY_SOFTMAX) {
    sum = 0.0;
    for (var r = 0u; r < params.top_k; r += 1u) {
      let is_chosen = ids[first + r] < params.experts;
      let power = select(0.0, exp(min(weights[first + r] - shift, 0.0)), is_chosen);
      weights[first + r] = power;
      sum += power;
    }
  }
  var factor = weight_factor(sum);
  if (params.renorm == BY_SOFTMAX) {
    factor = params.scale / max(sum, 1.0e-30); // zero only where nothing was chosen
  }
  for (var r = 0u; r < params.top_k; r += 1u) {
    weights[first + r] *= factor;
  }
}
