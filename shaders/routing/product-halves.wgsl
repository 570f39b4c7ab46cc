// product-halves: the k best of each half of a product router's logits, in order, and the log-sum-exp of each half
//
// scores     [rows, n] f32; a row is one half of one head of one token: row = 2 * (token * heads + head) + half
// mean, variance  [2, n] f32: running statistics of the two halves; read only if norm is 1
// halves     [rows, k + 1] (bits of a f32 score, id): the best in descending order, equal scores by ascending id; the
//            last entry holds the log sum (0 without log_softmax). Scores are normalised and, with log_softmax, reduced
//            by the row's maximum, so that order and ties are those of the logits and not of rounded logarithms.
// grid       one workgroup per row
// parts      fn rank_row(row, lane) (lib/product-quad.wgsl or lib/product-runs.wgsl), which calls put() for every
//            element, and put_log(); fn linear_group (lib/grid.wgsl)
// needs      k <= n
override WG: u32;
const PADDING = -3.0e38; // below every score; follows the last element of a row

struct Params {
  rows: u32,
  n: u32,
  k: u32,
  norm: u32, // 1: (s - mean) / sqrt(variance + eps) first
  eps: f32,
  log_softmax: u32,
  apart: u32, // 0: the halves of a token are neighbours; else half h of token t is row h * apart + t of the scores
}

@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> variance: array<f32>;
@group(0) @binding(3) var<storage, read_write> halves: array<vec2<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

fn logit(row: u32, at: u32) -> f32 {
  if (at >= params.n) {
    return PADDING;
  }
  let source = select(row, (row % 2u) * params.apart + row / 2u, params.apart > 0u);
  let value = scores[source * params.n + at];
  if (params.norm == 0u) {
    return value;
  }
  let column = (row % 2u) * params.n + at;
  return (value - mean[column]) / sqrt(variance[column] + params.eps);
}

// Writes an element of the row if it is among the k best.
fn put(row: u32, rank: u32, element: u32, score: f32) {
  if (rank < params.k) {
    halves[row * (params.k + 1u) + rank] = vec2<u32>(bitcast<u32>(score), element);
  }
}

// Writes the log of the sum of exponentials of a row's scores.
fn put_log(row: u32, sum: f32) {
  let log_sum = select(0.0, log(sum), params.log_softmax == 1u);
  halves[row * (params.k + 1u) + params.k] = vec2<u32>(bitcast<u32>(log_sum), 0u);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = linear_group(group, groups);
  if (row < params.rows) {
    rank_row(row, lane);
  }
}
