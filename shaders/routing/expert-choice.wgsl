// expert-choice: each expert takes the tokens of a sequence with the largest values, as many as it has room for
//
//   room = per_expert, or T factor / experts rounded; at least `least`, at most T, the tokens of the sequence
//
// values  [tokens, experts] f32; below -1e37: never taken. Equal values go to the earlier token
// keys    [tokens, experts] f32, scratch
// given   [tokens, experts] u32: the expert where it takes the token, else `experts`, for a rule by given ids
// raw     [tokens, experts] f32, shares [tokens, experts] f32: raw weights, normalised over the tokens of each expert
// marks   across: there are raw and shares
// grid    one workgroup per expert and sequence (x, y)
// parts   the bindings; fn sequence_bounds (lib/sequence-*.wgsl); with across fn share_of (lib/across-*.wgsl)
override WG: u32;

const MASKED = -3.0e38;
const MASK_LIMIT = -1.0e37;
const FORCED = 3.0e38;
const ROUNDING = 2.0e-6; // of a product that is meant to be whole

struct Params {
  tokens: u32,
  experts: u32,
  sequences: u32,
  per_expert: u32,
  least: u32,
  rounds_up: u32,
  force_first: u32,
  among: u32,
  factor: f32,
  eps: f32,
}

fn room_of(tokens: u32) -> u32 {
  var room = params.per_expert;
  if (room == 0u) {
    let exact = f32(tokens) * params.factor / f32(params.experts);
    room = select(u32(floor(exact * (1.0 + ROUNDING))), u32(ceil(exact * (1.0 - ROUNDING))), params.rounds_up == 1u);
  }
  return min(tokens, max(params.least, room));
}

// Whether the expert is among the `among` largest of the token; ties go to the lower id.
fn competes(t: u32, e: u32) -> bool {
  let value = values[t * params.experts + e];
  var before = 0u;
  for (var other = 0u; other < params.experts; other += 1u) {
    let rival = values[t * params.experts + other];
    before += select(0u, 1u, rival > value || (rival == value && other < e));
  }
  return before < params.among;
}

fn key_of(t: u32, e: u32, first: u32) -> f32 {
  if (params.force_first == 1u && t == first) {
    return FORCED;
  }
  if (params.among < params.experts && !competes(t, e)) {
    return MASKED;
  }
  return values[t * params.experts + e];
}

fn is_taken(t: u32, e: u32, bounds: vec2<u32>, room: u32) -> bool {
  let key = keys[t * params.experts + e];
  if (key < MASK_LIMIT) {
    return false;
  }
  var before = 0u;
  for (var other = bounds.x; other < bounds.y; other += 1u) {
    let rival = keys[other * params.experts + e];
    before += select(0u, 1u, rival > key || (rival == key && other < t));
  }
  return before < room;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let e = group.x;
  let bounds = sequence_bounds(group.y);
  let room = room_of(bounds.y - bounds.x);
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    keys[t * params.experts + e] = key_of(t, e, bounds.x);
  }
  storageBarrier();
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    given[t * params.experts + e] = select(params.experts, e, is_taken(t, e, bounds, room));
  }
#if ${across}
  storageBarrier();
  write_shares(e, bounds, lane);
#endif
}
