// route-protect-none: the ratio applies to all tokens.
fn protection_of(token: u32) -> u32 {
  return 0u;
}
