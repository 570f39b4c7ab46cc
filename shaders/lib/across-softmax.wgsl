// across-softmax: the softmax of the raw weights of an expert's tokens.
//
// parts   raw, given, shares, params, MASKED (expert-choice.wgsl); fn reduce_sum, reduce_max
//         (lib/reduce-workgroup.wgsl)
fn write_shares(e: u32, bounds: vec2<u32>, lane: u32) {
  var own_largest = MASKED;
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    let at = t * params.experts + e;
    own_largest = max(own_largest, select(MASKED, raw[at], given[at] == e));
  }
  let largest = reduce_max(own_largest, lane);
  var own = 0.0;
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    let at = t * params.experts + e;
    var power = 0.0;
    if (given[at] == e) {
      power = exp(raw[at] - largest);
    }
    shares[at] = power;
    own += power;
  }
  let sum = reduce_sum(own, lane);
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    let at = t * params.experts + e;
    if (given[at] == e) {
      shares[at] /= sum;
    }
  }
}
