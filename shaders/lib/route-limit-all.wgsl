// route-limit-all: all experts are sorted.
fn sort_limit(token: u32) -> u32 {
  return params.scored;
}
