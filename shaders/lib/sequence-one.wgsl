// sequence-one: all tokens are one sequence.
fn sequence_bounds(sequence: u32) -> vec2<u32> {
  return vec2<u32>(0u, params.tokens);
}
