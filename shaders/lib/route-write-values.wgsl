// route-write-values: writes the selection values; masked ones are MASKED.
//
// parts   values [tokens, scored] f32 as bits
fn write_values(token: u32, lane: u32) {
  for (var e = lane; e < params.scored; e += STRIDE) {
    values[token * params.scored + e] = bits_of(selection_at(e));
  }
  sync();
}
