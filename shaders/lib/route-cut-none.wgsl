// route-cut-none: all entries of the order are chosen.
fn prepare_cut(token: u32, lane: u32) {
}

fn cut(token: u32, available: u32) -> u32 {
  return available;
}
