// attention-received: r[t] = c[t] / max of c over the sequence, c[t] = sum over u of links[u, t]; 0 if no token has any
//
// links       [tokens, width] f32, not negative
// importance  [tokens] f32
// grid        one workgroup per sequence; a lane has every WG-th token
// parts       the bindings; fn sequence_bounds (lib/sequence-*.wgsl); fn reduce_max (lib/reduce-workgroup.wgsl)
override WG: u32;

struct Params {
  tokens: u32,
  sequences: u32,
  width: u32,
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let bounds = sequence_bounds(group.x);
  var own = 0.0;
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    var sum = 0.0;
    for (var u = bounds.x; u < bounds.y; u += 1u) {
      sum += links[u * params.width + t];
    }
    importance[t] = sum;
    own = max(own, sum);
  }
  let largest = reduce_max(own, lane);
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    importance[t] = select(importance[t] / largest, 0.0, largest == 0.0);
  }
}
