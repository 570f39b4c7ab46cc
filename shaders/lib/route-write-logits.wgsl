// route-write-logits: writes the values that activations read; masked ones are MASKED.
//
// parts   logits [tokens, scored] f32 as bits
fn write_logits(token: u32, lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    logits[token * params.scored + e] = bits_of(row[e]);
  }
}
