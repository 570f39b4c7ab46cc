// across-sum: raw weights of an expert's tokens, divided by their sum + eps; 0 if the sum is 0.
//
// parts   raw, given, shares, params (expert-choice.wgsl); fn reduce_sum (lib/reduce-workgroup.wgsl)
fn write_shares(e: u32, bounds: vec2<u32>, lane: u32) {
  var own = 0.0;
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    let at = t * params.experts + e;
    own += select(0.0, raw[at], given[at] == e);
  }
  let sum = reduce_sum(own, lane);
  for (var t = bounds.x + lane; t < bounds.y; t += WG) {
    let at = t * params.experts + e;
    var share = 0.0;
    if (given[at] == e && sum != 0.0) {
      share = raw[at] / (sum + params.eps);
    }
    shares[at] = share;
  }
}
