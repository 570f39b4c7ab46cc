// route-cut-top-p: the entries up to the cumulative sum p, at least params.least of them.
//
// parts   fn cut_by_sum (lib/route-cut-crossing.wgsl, lib/route-cut-within.wgsl)
fn prepare_cut(token: u32, lane: u32) {
}

fn cut(token: u32, available: u32) -> u32 {
  return min(available, max(params.least, cut_by_sum(token, available)));
}
