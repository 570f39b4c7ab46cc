// product candidates by bins, for large top_k: candidates are sorted into bins by their sums, and ranked within each
// bin.
//
// At least top_k candidates reach the largest sum on the edge of the staircase, so smaller sums are skipped. Bins are
// narrower towards that sum, where candidates are dense; bins that begin past top_k are discarded. The order of the
// list of a bin depends on the order of atomics, the ranks do not.
//
// The bin of a candidate is computed three times and must be the same each time. All arithmetic is therefore on the
// bits of the sums, in integers: compilers may reorder float arithmetic differently at each place (Metal).
// needs  MAX_CANDIDATES, BINS = 256; WG a power of two <= BINS; product-route.wgsl's functions
const BEYOND = 0x80000000u; // a discarded bin

var<workgroup> bins: array<atomic<u32>, BINS>; // counts; then the position of each bin's next candidate
var<workgroup> listed: array<u32, MAX_CANDIDATES>; // rank in half 0 << 16 | rank in half 1, bin by bin
var<workgroup> lane_counts: array<u32, WG>;
var<workgroup> listed_count: atomic<u32>;
var<workgroup> edge_key: atomic<u32>; // the largest sum on the edge of the staircase

// A monotonic integer key of a finite float; equal for equal floats, including both zeros.
fn order_key(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let key = select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
  return select(key, 0x80000000u, bits == 0x80000000u);
}

fn candidate_key(row: u32, a: u32, b: u32) -> u32 {
  return order_key(candidate_sum(row, a, b));
}

fn exponent_of(key: u32) -> u32 {
  let bits = select(~key, key, key >= 0x80000000u);
  return (bits >> 23u) & 0xffu;
}

// The float of a key in fixed point, in units of 2^(top - 23); `top` is not below its exponent.
fn fixed_point(key: u32, top: u32) -> i32 {
  let is_positive = key >= 0x80000000u;
  let bits = select(~key, key, is_positive);
  let shift = top - ((bits >> 23u) & 0xffu);
  let size = i32(select(0u, ((bits & 0x7fffffu) | 0x800000u) >> min(shift, 31u), shift < 24u));
  return select(-size, size, is_positive);
}

struct Bins {
  least: u32, // key: candidates below this sum are skipped
  top: u32, // the largest exponent among the sums
  most: i32, // the largest sum, in fixed point
  shift: u32, // reduces distances to less than 2^21
  depth: u32, // distance of the least sum, shifted
}

fn bins_of(least: u32, most: u32) -> Bins {
  let top = max(exponent_of(least), exponent_of(most));
  let largest = fixed_point(most, top);
  let depth = u32(largest - fixed_point(least, top)); // below 2^25
  let shift = 11u - min(11u, countLeadingZeros(depth));
  return Bins(least, top, largest, shift, max(1u, depth >> shift));
}

fn bin_of(key: u32, range: Bins) -> u32 {
  let distance = u32(range.most - fixed_point(key, range.top)) >> range.shift;
  let part = min(1024u, (distance << 10u) / range.depth); // about (part / 1024)^3 of the candidates have larger sums
  return min((part * part * part) >> 22u, BINS - 1u);
}

// Bins by atomics: a first pass counts, a second pass lists.
fn count_candidate(row: u32, a: u32, b: u32, range: Bins) {
  let key = candidate_key(row, a, b);
  if (key >= range.least) {
    atomicAdd(&bins[bin_of(key, range)], 1u);
  }
}

fn list_candidate(row: u32, a: u32, b: u32, range: Bins) {
  let key = candidate_key(row, a, b);
  if (key < range.least) {
    return;
  }
  let bin = bin_of(key, range);
  if (atomicLoad(&bins[bin]) >= BEYOND) {
    return;
  }
  listed[atomicAdd(&bins[bin], 1u)] = (a << 16u) | b;
}

// Counts of bins -> their start positions, or BEYOND.
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

// The largest sum with (a + 1)(b + 1) >= top_k: at least top_k candidates reach it.
fn find_edge(row: u32, lane: u32) {
  for (var a = lane; a < params.k; a += WG) {
    let b = (params.top_k + a) / (a + 1u) - 1u; // ceil(top_k / (a + 1)) - 1
    if (b < params.k) {
      atomicMax(&edge_key, candidate_key(row, a, b));
    }
  }
}

fn place_listed(row: u32, at: u32, range: Bins) {
  let a = listed[at] >> 16u;
  let b = listed[at] & 0xffffu;
  let key = candidate_key(row, a, b);
  let id = candidate_id(row, a, b);
  let bin = bin_of(key, range);
  var rank = 0u;
  if (bin > 0u) {
    rank = atomicLoad(&bins[bin - 1u]); // start of this bin: the previous bin is full
  }
  let end = atomicLoad(&bins[bin]);
  for (var other = rank; other < end; other++) {
    if (other != at) {
      let other_a = listed[other] >> 16u;
      let other_b = listed[other] & 0xffffu;
      let other_key = candidate_key(row, other_a, other_b);
      if (other_key > key || (other_key == key && candidate_id(row, other_a, other_b) < id)) {
        rank++;
      }
    }
  }
  if (rank < params.top_k) {
    place(row, rank, candidate_sum(row, a, b), id);
  }
}

fn rank_candidates(row: u32, lane: u32) {
  for (var bin = lane; bin < BINS; bin += WG) {
    atomicStore(&bins[bin], 0u);
  }
  if (lane == 0u) {
    atomicStore(&listed_count, 0u);
    atomicStore(&edge_key, 0u);
  }
  workgroupBarrier();
  find_edge(row, lane);
  workgroupBarrier();
  let range = bins_of(atomicLoad(&edge_key), candidate_key(row, 0u, 0u));
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
