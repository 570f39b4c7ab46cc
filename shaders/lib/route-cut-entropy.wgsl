// route-cut-entropy: all entries where the entropy of the affinities is above the threshold, else as route-cut-top-p.
//
// parts   fn cut_by_sum (lib/route-cut-crossing.wgsl, lib/route-cut-within.wgsl); fn row_entropy
//         (lib/route-entropy-*.wgsl)
var<private> keeps_all: bool;

fn prepare_cut(token: u32, lane: u32) {
  keeps_all = row_entropy(lane) > params.entropy_threshold;
}

fn cut(token: u32, available: u32) -> u32 {
  if (keeps_all) {
    return available;
  }
  return min(min(available, params.limit), max(params.least, cut_by_sum(token, available)));
}
