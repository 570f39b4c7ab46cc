// capacity: places the choices of a sequence into experts of limited room, in order of token or of rank
//
//   room = per_expert, or max(1, ceil(factor T k / experts)), T the tokens of the sequence
//   a choice that finds its expert full is removed, or rerouted after all others to the expert with the largest value
//   that has room and not the token; then experts may fill their room with the tokens of the largest values that they
//   do not have
//
// ids     [tokens, k] u32, from `experts` on pads    values  [tokens, experts] f32; below -1e37: never taken
// given   [tokens, places] u32, for a rule by given ids: the choice of each rank, then with fill one place an expert
// grid    one workgroup per sequence; a lane has whole experts
// parts   the bindings; const REROUTES, FILLS; fn sequence_bounds (lib/sequence-*.wgsl)
// needs   experts <= 1024
override WG: u32;

const MASK_LIMIT = -1.0e37;
const MAX_EXPERTS = 1024u;
const OVERFLOWS = 0xffffffffu;
const ROUNDING = 2.0e-6; // of a product that is meant to be whole

struct Params {
  tokens: u32,
  experts: u32,
  sequences: u32,
  k: u32,
  places: u32,
  per_expert: u32,
  by_rank: u32,
  factor: f32,
}

var<workgroup> counts: array<u32, MAX_EXPERTS>; // tokens that each expert has

fn room_of(tokens: u32) -> u32 {
  if (params.per_expert > 0u) {
    return params.per_expert;
  }
  let exact = params.factor * f32(tokens) * f32(params.k) / f32(params.experts);
  return max(1u, u32(ceil(exact * (1.0 - ROUNDING))));
}

// Token and rank of a choice by its number in the order.
fn choice_at(number: u32, bounds: vec2<u32>) -> vec2<u32> {
  let tokens = bounds.y - bounds.x;
  if (params.by_rank == 1u) {
    return vec2<u32>(bounds.x + number % tokens, number / tokens);
  }
  return vec2<u32>(bounds.x + number / params.k, number % params.k);
}

fn write_pads(t: u32) {
  for (var place = 0u; place < params.places; place += 1u) {
    if (place >= params.k || ids[t * params.k + place] >= params.experts) {
      given[t * params.places + place] = params.experts;
    }
  }
}

fn place_choices(e: u32, bounds: vec2<u32>, room: u32) {
  var count = 0u;
  for (var number = 0u; number < (bounds.y - bounds.x) * params.k; number += 1u) {
    let choice = choice_at(number, bounds);
    if (ids[choice.x * params.k + choice.y] != e) {
      continue;
    }
    let at = choice.x * params.places + choice.y;
    if (count < room) {
      given[at] = e;
      count += 1u;
    } else {
      given[at] = select(params.experts, OVERFLOWS, REROUTES);
    }
  }
  counts[e] = count;
}

fn has_token(e: u32, t: u32) -> bool {
  for (var place = 0u; place < params.k; place += 1u) {
    if (given[t * params.places + place] == e) {
      return true;
    }
  }
  return false;
}

fn best_expert(t: u32, room: u32) -> u32 {
  var best = params.experts;
  var largest = MASK_LIMIT;
  for (var e = 0u; e < params.experts; e += 1u) {
    let value = values[t * params.experts + e];
    if (value > largest && counts[e] < room && !has_token(e, t)) {
      best = e;
      largest = value;
    }
  }
  return best;
}

fn reroute(bounds: vec2<u32>, room: u32) {
  for (var number = 0u; number < (bounds.y - bounds.x) * params.k; number += 1u) {
    let choice = choice_at(number, bounds);
    let at = choice.x * params.places + choice.y;
    if (given[at] != OVERFLOWS) {
      continue;
    }
    let best = best_expert(choice.x, room);
    given[at] = best;
    if (best < params.experts) {
      counts[best] += 1u;
    }
  }
}

// Takes tokens for an expert, the largest value first.
fn fill(e: u32, bounds: vec2<u32>, room: u32) {
  for (var count = counts[e]; count < room; count += 1u) {
    var best = bounds.y;
    var largest = MASK_LIMIT;
    for (var t = bounds.x; t < bounds.y; t += 1u) {
      let value = values[t * params.experts + e];
      let is_filled = given[t * params.places + params.k + e] == e;
      if (value > largest && !is_filled && !has_token(e, t)) {
        best = t;
        largest = value;
      }
    }
    if (best == bounds.y) {
      return;
    }
    given[best * params.places + params.k + e] = e;
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let bounds = sequence_bounds(group.x);
  let room = room_of(bounds.y - bounds.x);
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    write_pads(t);
  }
  for (var e = lane; e < params.experts; e += WG) {
    place_choices(e, bounds, room);
  }
  storageBarrier();
  workgroupBarrier();
  if (REROUTES) {
    if (lane == 0u) {
      reroute(bounds, room);
    }
    storageBarrier();
    workgroupBarrier();
  }
  if (FILLS) {
    for (var e = lane; e < params.experts; e += WG) {
      fill(e, bounds, room);
    }
  }
}
