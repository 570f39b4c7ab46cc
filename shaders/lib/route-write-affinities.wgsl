// route-write-affinities: writes the affinities; those of masked experts are 0.
//
// parts   affinities [tokens, scored] f32 as bits
fn write_affinities(token: u32, lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    affinities[token * params.scored + e] = bits_of(affinity_at(e));
  }
}
