// product-keys: products of a query with every key of its half: scores[row, j] = query[row, :] . keys[j, :]
//
// query     [rows, key] f32; a row is one half of one head of one token: row = 2 * (token * heads + head) + half
// mean, variance  [heads, 2, key] f32: running statistics of the query's columns; read only if norm is 1
// keys_x, keys_y  [n, key] f32: keys of the halves 0 and 1, shared by all heads
// scores    [rows, n] f32
// grid      one workgroup per four heads or tokens, half and block of WG keys; normalised queries are kept in
//           workgroup memory
// parts     fn linear_group (lib/grid.wgsl)
// needs     key a multiple of 4, at most 4 * MAX_KEY_VEC4
override WG: u32;
const ROWS = 4u;
const MAX_KEY_VEC4 = 128u; // 512 elements

struct Params {
  rows: u32, // tokens * heads: rows of one half
  heads: u32,
  key: u32,
  n: u32,
  norm: u32, // 1: (query - mean) / sqrt(variance + eps) first
  eps: f32,
}

@group(0) @binding(0) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> variance: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> keys_x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> keys_y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

var<workgroup> queries: array<vec4<f32>, ROWS * MAX_KEY_VEC4>;

fn query_at(row: u32, side: u32, at: u32) -> vec4<f32> {
  let quads = params.key / 4u;
  let value = query[(2u * row + side) * quads + at];
  if (params.norm == 0u) {
    return value;
  }
  let column = (row % params.heads * 2u + side) * quads + at;
  return (value - mean[column]) / sqrt(variance[column] + params.eps);
}

fn key_at(side: u32, at: u32) -> vec4<f32> {
  if (side == 0u) {
    return keys_x[at];
  }
  return keys_y[at];
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = params.key / 4u;
  let blocks = (params.n + WG - 1u) / WG;
  let number = linear_group(group, groups);
  let side = number / blocks % 2u;
  let first = number / blocks / 2u * ROWS;
  if (first >= params.rows) {
    return;
  }
  for (var at = lane; at < ROWS * quads; at += WG) {
    queries[at] = query_at(min(first + at / quads, params.rows - 1u), side, at % quads);
  }
  workgroupBarrier();
  let j = number % blocks * WG + lane;
  if (j >= params.n) {
    return;
  }
  var sums = vec4<f32>();
  for (var at = 0u; at < quads; at++) {
    let key = key_at(side, j * quads + at);
    sums += vec4<f32>(
      dot(key, queries[at]),
      dot(key, queries[quads + at]),
      dot(key, queries[2u * quads + at]),
      dot(key, queries[3u * quads + at]),
    );
  }
  for (var i = 0u; i < min(ROWS, params.rows - first); i++) {
    scores[(2u * (first + i) + side) * params.n + j] = sums[i];
  }
}
