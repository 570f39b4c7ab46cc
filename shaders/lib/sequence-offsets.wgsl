// sequence-offsets: the tokens of a sequence, first and end.
//
// parts   offsets [sequences + 1] u32: not decreasing, the last is the number of tokens
fn sequence_bounds(sequence: u32) -> vec2<u32> {
  return vec2<u32>(offsets[sequence], offsets[sequence + 1u]);
}
