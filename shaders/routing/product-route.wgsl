// product-route: the top_k best sums of one score of each half, with their ids and weights (product keys, Lample et al.
// 2019)
//
// halves     [rows, 2, k + 1] (bits of a score, id) from product-halves; row = token * heads + head
// ids        [rows, top_k] u32 = id in the first half * n + id in the second, by descending sum, equal sums by
//            ascending id
// scores     [rows, top_k] f32 = sum - log sums of both halves
// weights    [rows, top_k] f32, computed from the scores by the linked weighting
// grid       one workgroup per row. Only candidates with (a + 1)(b + 1) <= top_k, a and b the ranks in the halves, can
//            be among the best: all others have at least top_k candidates before them.
// parts      fn rank_candidates(row, lane) (lib/product-count.wgsl or lib/product-bins.wgsl), which calls place() for
//            each of the best; lib/weigh-*.wgsl; fn reduce_sum (lib/reduce-*.wgsl); fn linear_group (lib/grid.wgsl)
// needs      k = min(n, top_k); top_k <= n * n
override WG: u32;

struct Params {
  rows: u32,
  n: u32,
  k: u32,
  top_k: u32,
  eps: f32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> halves: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// Entry of rank `at` in half 0 or 1 of a row; at = k gives the log sum.
fn half_entry(row: u32, side: u32, at: u32) -> vec2<u32> {
  return halves[(2u * row + side) * (params.k + 1u) + at];
}

fn half_score(row: u32, side: u32, at: u32) -> f32 {
  return bitcast<f32>(half_entry(row, side, at).x);
}

fn candidate_sum(row: u32, a: u32, b: u32) -> f32 {
  return half_score(row, 0u, a) + half_score(row, 1u, b);
}

fn candidate_id(row: u32, a: u32, b: u32) -> u32 {
  return half_entry(row, 0u, a).y * params.n + half_entry(row, 1u, b).y;
}

// Candidates in the row of rank a.
fn candidates_of(a: u32) -> u32 {
  return min(params.k, params.top_k / (a + 1u));
}

fn place(row: u32, rank: u32, sum: f32, id: u32) {
  let at = row * params.top_k + rank;
  let score = sum - (half_score(row, 0u, params.k) + half_score(row, 1u, params.k));
  ids[at] = id;
  scores[at] = score;
  if (!NORMALISES) {
    weights[at] = weight(raw_weight(score, 0.0), 1.0);
  }
}

// scale * raw / sum
fn scaled_share(raw: f32, sum: f32) -> f32 {
  return raw * (params.scale / sum);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = linear_group(group, groups);
  if (row >= params.rows) {
    return;
  }
  rank_candidates(row, lane);
  if (!NORMALISES) {
    return;
  }
  storageBarrier(); // the row's scores, written by all lanes
  let base = row * params.top_k;
  let best = scores[base];
  var sum = 0.0;
  for (var at = lane; at < params.top_k; at += WG) {
    sum += raw_weight(scores[base + at], best);
  }
  let total = reduce_sum(sum, lane);
  for (var at = lane; at < params.top_k; at += WG) {
    weights[base + at] = weight(raw_weight(scores[base + at], best), total);
  }
}
