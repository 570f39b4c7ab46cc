// route-write-largest: writes the largest affinity of each token.
//
// parts   largest [tokens] f32 as bits; lib/route-largest.wgsl
fn write_largest(token: u32, lane: u32) {
  let found = largest_affinity(lane);
  if (lane == 0u) {
    largest[token] = bits_of(found);
  }
}
