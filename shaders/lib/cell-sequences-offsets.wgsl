// cell-sequences-offsets: the sequences of the tokens, by where they begin.
//
// parts   params; offsets [sequences + 1] u32: not decreasing, the last is the number of tokens
fn first_token(sequence: u32) -> u32 {
  return offsets[sequence];
}

fn sequence_of(t: u32) -> u32 {
  var sequence = 0u;
  while (sequence + 1u < params.sequences && offsets[sequence + 1u] <= t) {
    sequence += 1u;
  }
  return sequence;
}

fn bounds_of(t: u32) -> vec2<u32> {
  let sequence = sequence_of(t);
  return vec2<u32>(offsets[sequence], offsets[sequence + 1u]);
}
