// cell-sequences-one: all tokens are one sequence.
//
// parts   params
fn first_token(sequence: u32) -> u32 {
  return select(params.tokens, 0u, sequence == 0u);
}

fn sequence_of(t: u32) -> u32 {
  return 0u;
}

fn bounds_of(t: u32) -> vec2<u32> {
  return vec2<u32>(0u, params.tokens);
}
