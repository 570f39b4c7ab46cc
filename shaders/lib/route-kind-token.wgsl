// route-kind-token: the number of a token's threshold.
//
// parts   kinds [tokens] u32
fn kind_of(token: u32) -> u32 {
  return kinds[token];
}
