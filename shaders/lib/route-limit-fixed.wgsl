// route-limit-fixed: the number of experts to sort is the same for each token.
fn sort_limit(token: u32) -> u32 {
  return params.limit;
}
