// route-kind-one: all tokens have the first threshold.
fn kind_of(token: u32) -> u32 {
  return 0u;
}
