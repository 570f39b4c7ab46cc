// product candidates by bins, for large top_k: candidates fall into bins by their sums, and rank inside their bin.
//
// At least top_k candidates reach the largest sum on the edge of the staircase, so nothing below it is looked at. The bins
// are narrower towards that sum, where candidates crowd; those that begin beyond top_k are dropped. The order inside a bin's
// list depends on the order of atomics, the ranks do not.
// needs  MAX_CANDIDATES, BINS; WG a power of two <= BINS; product-route.wgsl's functions, fn reduce_max (lib/reduce-*.wgsl)
const BEYOND = 0x80000000u; // a bin that is dropped

var<workgroup> bins: array<atomic<u32>, BINS>; // counts, then the place where each bin's next candidate goes
var<workgroup> listed: array<u32, MAX_CANDIDATES>; // rank in half 0 << 16 | rank in half 1, bin by bin
var<workgroup> lane_counts: array<u32, WG>;
var<workgroup> listed_count: atomic<u32>;

struct Bins {
  least: f32, // candidates below this sum are out
  most: f32,
  scale: f32,
}

fn bin_of(sum: f32, range: Bins) -> u32 {
  let part = (range.most - sum) * range.scale; // 0 to 1; about part^3 of the candidates lie above
  return min(u32(f32(BINS) * part * part * part), BINS - 1u);
}

// Bins by atomics: a first visit counts, a second one lists.
fn count_candidate(row: u32, a: u32, b: u32, range: Bins) {
  let sum = candidate_sum(row, a, b);
  if (sum >= range.least) {
    atomicAdd(&bins[bin_of(sum, range)], 1u);
  }
}

fn list_candidate(row: u32, a: u32, b: u32, range: Bins) {
  let sum = candidate_sum(row, a, b);
  if (sum < range.least) {
    return;
  }
  let bin = bin_of(sum, range);
  if (atomicLoad(&bins[bin]) >= BEYOND) {
    return;
  }
  listed[atomicAdd(&bins[bin], 1u)] = (a << 16u) | b;
}

// Counts of bins -> places where they begin, or BEYOND.
fn scan_bins(lane: u32) {
  let share = BINS / WG;
  var count = 0u;
  for (var i = 0u; i < share; i++) {
    count += atomicLoad(&bins[lane * share + i]);
  }
  lane_counts[lane] = count;
  workgroupBarrier();
  var kept = 0u;
  var start = 0u;
  for (var other = 0u; other < lane; other++) {
    start += lane_counts[other];
  }
  for (var i = 0u; i < share; i++) {
    let size = atomicLoad(&bins[lane * share + i]);
    atomicStore(&bins[lane * share + i], select(BEYOND, start, start < params.top_k));
    kept += select(0u, size, start < params.top_k);
    start += size;
  }
  atomicAdd(&listed_count, kept);
}

// The largest sum with (a + 1)(b + 1) >= top_k: so many candidates reach it.
fn least_sum(row: u32, lane: u32) -> f32 {
  var least = -3.0e38;
  for (var a = lane; a < params.k; a += WG) {
    let b = (params.top_k + a) / (a + 1u) - 1u; // ceil(top_k / (a + 1)) - 1
    if (b < params.k) {
      least = max(least, candidate_sum(row, a, b));
    }
  }
  return reduce_max(least, lane);
}

fn place_listed(row: u32, at: u32, range: Bins) {
  let a = listed[at] >> 16u;
  let b = listed[at] & 0xffffu;
  let sum = candidate_sum(row, a, b);
  let id = candidate_id(row, a, b);
  let bin = bin_of(sum, range);
  var rank = 0u;
  if (bin > 0u) {
    rank = atomicLoad(&bins[bin - 1u]); // where this bin begins: the one before it is full
  }
  let end = atomicLoad(&bins[bin]);
  for (var other = rank; other < end; other++) {
    if (other != at) {
      let other_a = listed[other] >> 16u;
      let other_b = listed[other] & 0xffffu;
      let other_sum = candidate_sum(row, other_a, other_b);
      if (other_sum > sum || (other_sum == sum && candidate_id(row, other_a, other_b) < id)) {
        rank++;
      }
    }
  }
  if (rank < params.top_k) {
    place(row, rank, sum, id);
  }
}

fn rank_candidates(row: u32, lane: u32) {
  for (var bin = lane; bin < BINS; bin += WG) {
    atomicStore(&bins[bin], 0u);
  }
  if (lane == 0u) {
    atomicStore(&listed_count, 0u);
  }
  let least = least_sum(row, lane);
  let most = candidate_sum(row, 0u, 0u);
  let range = Bins(least, most, select(0.0, 1.0 / max(most - least, 1e-30), most > least));
  // Both arms of the staircase: along the rows of the first ranks, and along the columns.
  for (var a = 0u; a < params.k && (a + 1u) * (a + 1u) <= params.top_k; a++) {
    let arm = candidates_of(a);
    for (var b = a + lane; b < arm; b += WG) {
      count_candidate(row, a, b, range);
      if (b > a) {
        count_candidate(row, b, a, range);
      }
    }
  }
  workgroupBarrier();
  scan_bins(lane);
  workgroupBarrier();
  for (var a = 0u; a < params.k && (a + 1u) * (a + 1u) <= params.top_k; a++) {
    let arm = candidates_of(a);
    for (var b = a + lane; b < arm; b += WG) {
      list_candidate(row, a, b, range);
      if (b > a) {
        list_candidate(row, b, a, range);
      }
    }
  }
  workgroupBarrier();
  for (var at = lane; at < atomicLoad(&listed_count); at += WG) {
    place_listed(row, at, range);
  }
}
