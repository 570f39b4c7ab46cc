// hooked-gate-lane: the choice of gate-lane.wgsl with the hooks of a request.
//
// parts   gate-lane.wgsl; hooked-gate.wgsl
fn selection_at(e: u32) -> f32 {
  return hooked_selection(token.base / params.experts, e, score_at(e) + bias[e]);
}

// The best expert at or after `from_place`; its index is params.experts if none is left.
fn next_expert(number: u32, from_place: Place) -> Place {
  let is_given = is_replayed(number);
  var best = Place(MASK_LIMIT, params.experts);
  for (var e = 0u; e < params.experts; e += 1u) {
    let value = selection_at(e);
    if ((is_given || may_choose(e, value)) && value > best.value && is_after(value, e, from_place)) {
      best = Place(value, e);
    }
  }
  return best;
}

// Converts the values of the chosen experts of a token to weights; places without an expert are left out.
fn weigh(number: u32, largest: f32) {
  let first = number * params.top_k;
  var sum = 0.0;
  for (var at = first; at < first + params.top_k; at += 1u) {
    if (ids[at] != params.experts) {
      let raw = raw_weight(weights[at], largest);
      weights[at] = raw;
      sum += raw;
    }
  }
  for (var at = first; at < first + params.top_k; at += 1u) {
    if (ids[at] != params.experts) {
      weights[at] = hooked_weight(number, ids[at], factored(weight(weights[at], sum), ids[at]));
    }
  }
}

fn choose_experts(number: u32) {
  let first = number * params.top_k;
  for (var r = 0u; r < params.top_k; r += 1u) {
    ids[first + r] = params.experts;
    weights[first + r] = 0.0;
  }
  var place = Place(3.0e38, 0u);
  var largest = MASKED;
  for (var rank = 0u; rank < ranks_read(number); rank += 1u) {
    place = next_expert(number, place);
    let slot = slot_of(number, rank);
    if (place.index < params.experts && slot < params.top_k) {
      let value = value_at(place.index);
      ids[first + slot] = place.index;
      weights[first + slot] = value;
      largest = max(largest, value);
    }
    place.index += 1u;
  }
  weigh(number, largest);
}
