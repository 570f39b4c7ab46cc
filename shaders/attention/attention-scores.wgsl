// attention-scores: the first half of attention without workgroup memory or barriers, for any number of query tokens
//
// The rows (query head, token) of one key head are numbered token by token and processed in tiles of four. A tile and a
// block of BLOCK keys give one record:
//   BLOCK vec4   exp(score - top) of each key for the four rows; 0 if the key is masked for the row
//   vec4         top: the largest score in the block
//   vec4         the sum of the BLOCK weights
// Records of keys that are masked for all rows of a tile are not written. attention-values reads them.
//
// q        [tokens, heads, head_dim] scalar, as vec4
// k_cache  [context, kv_heads, head_dim] scalar, as vec4; keys 0 .. past + tokens - 1 are read
// key_bias [context, kv_heads] f32, with the mark biased: added to the scaled scores of a key
// records  [tiles, kv_heads, blocks, BLOCK + 2] vec4 f32, tiles = ceil(tokens * heads / kv_heads / 4),
//          blocks = ceil((past + tokens) / BLOCK)
// grid     one lane per record (folded), blocks innermost
// parts    alias scalar, scalar4; struct Params, BLOCK, tile_rows() (lib/attention-rows.wgsl); fn linear_group
//          (lib/grid.wgsl)
// needs    head_dim a multiple of 4
override WG: u32;

@group(0) @binding(0) var<storage, read> q: array<scalar4>;
@group(0) @binding(1) var<storage, read> k_cache: array<scalar4>;
@group(0) @binding(2) var<storage, read_write> records: array<vec4<f32>>;
#if ${biased}
@group(0) @binding(3) var<storage, read> key_bias: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;
#else
@group(0) @binding(3) var<uniform> params: Params;
#endif

// The scaled scores of a key, and its bias. A key past the end is masked.
fn scaled(score: vec4<f32>, key: u32, kv_head: u32) -> vec4<f32> {
#if ${biased}
  return params.scale * score + key_bias[min(key, params.past + params.tokens - 1u) * params.kv_heads + kv_head];
#else
  return params.scale * score;
#endif
}

// Masks a key's scores, writes them to the record, and returns them.
fn keep(at: u32, key: u32, score: vec4<f32>, rows: TileRows) -> vec4<f32> {
  let early = vec4<u32>(key) < rows.seen;
  let recent = vec4<u32>(key) >= rows.oldest;
  let value = select(vec4<f32>(MASKED), score, early & recent);
  records[at] = value;
  return value;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let keys = params.past + params.tokens;
  let blocks = (keys + BLOCK - 1u) / BLOCK;
  let record = (params.first_group + linear_group(group, groups)) * WG + lane;
  let part = record % blocks;
  let kv_head = (record / blocks) % params.kv_heads;
  let rows = tile_rows(record / (blocks * params.kv_heads), kv_head, params);
  let first = part * BLOCK;
  if (!rows.live || first >= rows.seen.w || first + BLOCK <= rows.oldest.x) {
    return;
  }
  let columns = params.head_dim / 4u;
  let row = rows.index * columns;
  let key_stride = params.kv_heads * columns;
  let at = record * (BLOCK + 2u);
  var top = vec4<f32>(MASKED);
  for (var j = 0u; j < BLOCK; j += 4u) {
    // Keys past the end repeat the last one; they are masked below.
    let key = min(first + j + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(keys - 1u));
    let base = key * key_stride + kv_head * columns;
    var score = mat4x4<f32>(); // a column per key, a component per row; constant indices keep it in registers
    for (var c = 0u; c < columns; c += 1u) {
      let four = mat4x4<f32>(
        vec4<f32>(q[row.x + c]),
        vec4<f32>(q[row.y + c]),
        vec4<f32>(q[row.z + c]),
        vec4<f32>(q[row.w + c]),
      );
      score[0] += vec4<f32>(k_cache[base.x + c]) * four;
      score[1] += vec4<f32>(k_cache[base.y + c]) * four;
      score[2] += vec4<f32>(k_cache[base.z + c]) * four;
      score[3] += vec4<f32>(k_cache[base.w + c]) * four;
    }
    top = max(top, keep(at + j, first + j, scaled(score[0], first + j, kv_head), rows));
    top = max(top, keep(at + j + 1u, first + j + 1u, scaled(score[1], first + j + 1u, kv_head), rows));
    top = max(top, keep(at + j + 2u, first + j + 2u, scaled(score[2], first + j + 2u, kv_head), rows));
    top = max(top, keep(at + j + 3u, first + j + 3u, scaled(score[3], first + j + 3u, kv_head), rows));
  }
  var sum = vec4<f32>();
  for (var j = 0u; j < BLOCK; j += 1u) {
    let score = records[at + j];
    let weight = select(vec4<f32>(), exp_below(score, top), score > vec4<f32>(MASKED));
    records[at + j] = weight;
    sum += weight;
  }
  records[at + BLOCK] = top;
  records[at + BLOCK + 1u] = sum;
}
