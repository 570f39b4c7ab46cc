// route-protect-token: whether the ratio applies to a token (0), or nothing (1) or all (2) of its entries are removed.
//
// parts   protection [tokens] u32
fn protection_of(token: u32) -> u32 {
  return protection[token];
}
