// protect-tokens: 1 for the share of a sequence's tokens with the largest values, 2 for that with the smallest, else 0
//
// values      [tokens] f32; equal ones count in order of their positions. A token of both shares is 1
// protection  [tokens] u32, for a filter by ratio
// grid        one workgroup per sequence; a lane has every WG-th token
// parts       the bindings; fn sequence_bounds (lib/sequence-*.wgsl)
override WG: u32;

const ROUNDING = 2.0e-6; // of a product that is meant to be whole

struct Params {
  tokens: u32,
  sequences: u32,
  top: f32,
  bottom: f32,
}

fn count_of(share: f32, tokens: u32) -> u32 {
  return u32(floor(share * f32(tokens) * (1.0 + ROUNDING)));
}

// How many tokens come before t by descending (x) and by ascending (y) value.
fn ranks_of(t: u32, bounds: vec2<u32>) -> vec2<u32> {
  let value = values[t];
  var ranks = vec2<u32>(0u, 0u);
  for (var other = bounds.x; other < bounds.y; other += 1u) {
    let rival = values[other];
    let is_earlier = rival == value && other < t;
    ranks.x += select(0u, 1u, rival > value || is_earlier);
    ranks.y += select(0u, 1u, rival < value || is_earlier);
  }
  return ranks;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let bounds = sequence_bounds(group.x);
  let tokens = bounds.y - bounds.x;
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    let ranks = ranks_of(t, bounds);
    let smallest = select(0u, 2u, ranks.y < count_of(params.bottom, tokens));
    protection[t] = select(smallest, 1u, ranks.x < count_of(params.top, tokens));
  }
}
