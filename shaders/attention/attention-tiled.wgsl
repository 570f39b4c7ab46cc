// attention-tiled: attention for many query tokens (prefill) by tiles of rows and keys with an online softmax
// (FlashAttention, Dao et al. 2022)
//
// The rows (query head, token) of one key head are numbered token by token (lib/attention-rows.wgsl), so that all heads
// of a group share the keys that a workgroup loads. Keys that are masked for all rows of a tile are not loaded.
//
// q, o     [tokens, heads, head_dim] scalar, as vec4
// k_cache, v_cache  [context, kv_heads, head_dim] scalar, as vec4
// sinks    [heads] f32, with the mark sinks: scores of a key without a value
// key_bias [context, kv_heads] f32, with the mark biased: added to the scaled scores of a key
// grid     one workgroup per (ROWS rows, key head, 32 * CHUNKS dimensions of a head) (folded); the last rows, which
//          have the most keys, come first
// lanes    8 x 8: lane (y, x) has rows 4y .. 4y + 3; of the scores, keys x, x + 8, x + 16, x + 24; of the sums, column
//          x of each chunk of 8 vec4 columns; the head is cut into chunks so that a tile fits workgroup memory
// parts    alias scalar, scalar4; const CHUNKS; struct Params, tile_rows() (lib/attention-rows.wgsl);
//          fn linear_group (lib/grid.wgsl)
// needs    head_dim a multiple of 4; 13 KiB of workgroup memory
@group(0) @binding(0) var<storage, read> q: array<scalar4>;
@group(0) @binding(1) var<storage, read> k_cache: array<scalar4>;
@group(0) @binding(2) var<storage, read> v_cache: array<scalar4>;
@group(0) @binding(3) var<storage, read_write> o: array<scalar4>;
#if ${sinks}
@group(0) @binding(4) var<storage, read> sinks: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
#else
#if ${biased}
@group(0) @binding(4) var<storage, read> key_bias: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
#else
@group(0) @binding(4) var<uniform> params: Params;
#endif
#endif

const WG = 64u;
const QUADS = 8u; // of rows
const ROWS = 32u;
const KEYS = 32u;
const CHUNK = 8u; // vec4 columns

var<workgroup> q_tile: array<mat4x4<f32>, QUADS * CHUNK>; // [quad][column]: a matrix column per row
var<workgroup> kv_tile: array<vec4<f32>, CHUNK * KEYS>; // keys: [column][key]; values: [key][column]
var<workgroup> weights: array<vec4<f32>, QUADS * KEYS>; // [quad][key]: a component per row
var<workgroup> of_lanes: array<vec4<f32>, WG>; // largest scores; at the end, sums of weights

#if ${sinks}
fn sinks_of(rows: TileRows) -> vec4<f32> {
  let head = rows.index % params.heads;
  return vec4<f32>(sinks[head.x], sinks[head.y], sinks[head.z], sinks[head.w]);
}
#endif

#if ${biased}
fn biases_of(key: vec4<u32>, kv_head: u32) -> vec4<f32> {
  let at = key * params.kv_heads + kv_head;
  return vec4<f32>(key_bias[at.x], key_bias[at.y], key_bias[at.z], key_bias[at.w]);
}
#endif

// Columns v * w.x, v * w.y, ...
fn outer(v: vec4<f32>, w: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(w.x * v, w.y * v, w.z * v, w.w * v);
}

fn load_queries(lane: u32, first_row: u32, rows_end: u32, kv_head: u32, chunk: u32, columns: u32) {
  let shared_by = params.heads / params.kv_heads;
  for (var i = lane; i < ROWS * CHUNK; i += WG) {
    let row = min(first_row + i / CHUNK, rows_end - 1u);
    let column = chunk * CHUNK + i % CHUNK;
    var value = vec4<f32>();
    if (column < columns) {
      let index = (row / shared_by) * params.heads + kv_head * shared_by + row % shared_by;
      value = params.scale * vec4<f32>(q[index * columns + column]);
    }
    q_tile[(i / (4u * CHUNK)) * CHUNK + i % CHUNK][(i / CHUNK) % 4u] = value;
  }
}

fn load_keys(lane: u32, first_key: u32, keys: u32, kv_head: u32, chunk: u32, columns: u32) {
  for (var i = lane; i < KEYS * CHUNK; i += WG) {
    let key = min(first_key + i / CHUNK, keys - 1u); // repeated keys are masked
    let column = chunk * CHUNK + i % CHUNK;
    var value = vec4<f32>();
    if (column < columns) {
      value = vec4<f32>(k_cache[(key * params.kv_heads + kv_head) * columns + column]);
    }
    kv_tile[(i % CHUNK) * KEYS + i / CHUNK] = value;
  }
}

fn load_values(lane: u32, first_key: u32, keys: u32, kv_head: u32, chunk: u32, columns: u32) {
  for (var i = lane; i < KEYS * CHUNK; i += WG) {
    let key = min(first_key + i / CHUNK, keys - 1u); // has weight 0
    let column = min(chunk * CHUNK + i % CHUNK, columns - 1u); // not stored
    kv_tile[i] = vec4<f32>(v_cache[(key * params.kv_heads + kv_head) * columns + column]);
  }
}

fn masked(score: vec4<f32>, key: u32, rows: TileRows) -> vec4<f32> {
  let early = vec4<u32>(key) < rows.seen;
  let recent = vec4<u32>(key) >= rows.oldest;
  return select(vec4<f32>(MASKED), score, early & recent);
}

// exp(score - top); 0 for masked scores.
fn weight_of(score: vec4<f32>, top: vec4<f32>) -> vec4<f32> {
  return select(vec4<f32>(), exp_below(score, top), score > vec4<f32>(MASKED));
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let columns = params.head_dim / 4u;
  let chunks = (columns + CHUNK - 1u) / CHUNK;
  let rows_end = params.tokens * (params.heads / params.kv_heads);
  let tiles = (rows_end + ROWS - 1u) / ROWS;
  let index = params.first_group + linear_group(group, groups);
  let parts = (chunks + CHUNKS - 1u) / CHUNKS;
  if (index >= tiles * params.kv_heads * parts) {
    return;
  }
  let first_chunk = index % parts * CHUNKS; // of the part that this workgroup sums
  let kv_head = index / parts % params.kv_heads;
  let tile = tiles - 1u - index / (parts * params.kv_heads);
  let y = lane / 8u;
  let x = lane % 8u;
  let rows = tile_rows(tile * QUADS + y, kv_head, params);
  let keys = tile_rows(tile * QUADS + QUADS - 1u, kv_head, params).seen.w; // of the last row
  let oldest = tile_rows(tile * QUADS, kv_head, params).oldest.x;

#if ${sinks}
  var top = sinks_of(rows);
  var weight = select(vec4<f32>(), vec4<f32>(1.0), x == 0u); // the sum over the lanes of a row
#else
  var top = vec4<f32>(MASKED);
  var weight = vec4<f32>();
#endif
  var sum: array<mat4x4<f32>, CHUNKS>; // a matrix column per row
  for (var first = oldest - oldest % KEYS; first < keys; first += KEYS) {
    var score = mat4x4<f32>(); // a column per key, a component per row
    for (var n = 0u; n < chunks; n += 1u) {
      workgroupBarrier(); // the tiles are no longer read
      load_queries(lane, tile * ROWS, rows_end, kv_head, n, columns);
      load_keys(lane, first, keys, kv_head, n, columns);
      workgroupBarrier();
      for (var c = 0u; c < CHUNK; c += 1u) {
        let four = q_tile[y * CHUNK + c];
        score[0] += kv_tile[c * KEYS + x] * four;
        score[1] += kv_tile[c * KEYS + x + 8u] * four;
        score[2] += kv_tile[c * KEYS + x + 16u] * four;
        score[3] += kv_tile[c * KEYS + x + 24u] * four;
      }
    }
#if ${biased}
    let biases = biases_of(min(first + x + vec4<u32>(0u, 8u, 16u, 24u), vec4<u32>(keys - 1u)), kv_head);
    score[0] += biases.x;
    score[1] += biases.y;
    score[2] += biases.z;
    score[3] += biases.w;
#endif
    let a = masked(score[0], first + x, rows);
    let b = masked(score[1], first + x + 8u, rows);
    let c = masked(score[2], first + x + 16u, rows);
    let d = masked(score[3], first + x + 24u, rows);
    of_lanes[lane] = max(max(a, b), max(c, d));
    workgroupBarrier();
    var largest = top;
    for (var i = 0u; i < 8u; i += 1u) {
      largest = max(largest, of_lanes[8u * y + i]);
    }
    let at = y * KEYS + x;
    weights[at] = weight_of(a, largest);
    weights[at + 8u] = weight_of(b, largest);
    weights[at + 16u] = weight_of(c, largest);
    weights[at + 24u] = weight_of(d, largest);
    let shrink = exp_below(top, largest);
    weight = weight * shrink + weights[at] + weights[at + 8u] + weights[at + 16u] + weights[at + 24u];
    top = largest;
    for (var n = 0u; n < CHUNKS; n += 1u) {
      if (first_chunk + n < chunks) {
        load_values(lane, first, keys, kv_head, first_chunk + n, columns);
        workgroupBarrier();
        var part = mat4x4<f32>(sum[n][0] * shrink.x, sum[n][1] * shrink.y, sum[n][2] * shrink.z, sum[n][3] * shrink.w);
        for (var j = 0u; j < KEYS; j += 1u) {
          part += outer(kv_tile[j * CHUNK + x], weights[y * KEYS + j]);
        }
        sum[n] = part;
        workgroupBarrier(); // before the next chunk is loaded
      }
    }
  }

  workgroupBarrier();
  of_lanes[lane] = weight;
  workgroupBarrier();
  var total = vec4<f32>();
  for (var i = 0u; i < 8u; i += 1u) {
    total += of_lanes[8u * y + i];
  }
  if (!rows.live) {
    return;
  }
  let row = rows.index * columns;
  for (var n = 0u; n < CHUNKS; n += 1u) {
    let column = (first_chunk + n) * CHUNK + x;
    if (column < columns) {
      // Rows past the end repeat the last one: they write the same bits to the same address.
      o[row.x + column] = scalar4(sum[n][0] / total.x);
      o[row.y + column] = scalar4(sum[n][1] / total.y);
      o[row.z + column] = scalar4(sum[n][2] / total.z);
      o[row.w + column] = scalar4(sum[n][3] / total.w);
    }
  }
}
