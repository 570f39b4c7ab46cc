// attention-values: the second half of attention: weights the values by the records of attention-scores
//
// o[row, :] = sum_b f_b sum_{j in b} weight[j] v[j, :] / sum_b f_b sum_b, f_b = exp(top_b - top), top the largest top_b
//
// records  [tiles, kv_heads, blocks, BLOCK + 2] vec4 f32 as attention-scores writes them
// v_cache  [context, kv_heads, head_dim] scalar, as vec4      o   [tokens, heads, head_dim] scalar, as vec4
// sinks    [heads] f32, with the mark sinks: scores of a key without a value
// grid     one lane per (tile of four rows, key head, pair of vec4 columns) (folded), pairs innermost; no barrier
// parts    alias scalar, scalar4; struct Params, BLOCK, tile_rows() (lib/attention-rows.wgsl); fn linear_group
//          (lib/grid.wgsl)
// needs    head_dim a multiple of 4
override WG: u32;

@group(0) @binding(0) var<storage, read> records: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> v_cache: array<scalar4>;
@group(0) @binding(2) var<storage, read_write> o: array<scalar4>;
#if ${sinks}
@group(0) @binding(3) var<storage, read> sinks: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;
#else
@group(0) @binding(3) var<uniform> params: Params;
#endif

#if ${sinks}
fn sinks_of(rows: TileRows) -> vec4<f32> {
  let head = rows.index % params.heads;
  return vec4<f32>(sinks[head.x], sinks[head.y], sinks[head.z], sinks[head.w]);
}
#endif

// Columns v * w.x, v * w.y, ...
fn outer(v: vec4<f32>, w: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(w.x * v, w.y * v, w.z * v, w.w * v);
}

fn store(row: u32, left: u32, right: u32, left_value: vec4<f32>, right_value: vec4<f32>) {
  o[row + left] = scalar4(left_value);
  o[row + right] = scalar4(right_value);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let keys = params.past + params.tokens;
  let blocks = (keys + BLOCK - 1u) / BLOCK;
  let columns = params.head_dim / 4u;
  let pairs = (columns + 1u) / 2u;
  let index = (params.first_group + linear_group(group, groups)) * WG + lane;
  let left = 2u * (index % pairs);
  let right = min(left + 1u, columns - 1u); // repeats the last column if their number is odd
  let kv_head = (index / pairs) % params.kv_heads;
  let tile = index / (pairs * params.kv_heads);
  let rows = tile_rows(tile, kv_head, params);
  if (!rows.live) {
    return;
  }
  let first_record = (tile * params.kv_heads + kv_head) * blocks;
  let first_part = rows.oldest.x / BLOCK;
  let end_part = (rows.seen.w + BLOCK - 1u) / BLOCK;
#if ${sinks}
  var top = sinks_of(rows);
#else
  var top = vec4<f32>(MASKED);
#endif
  for (var b = first_part; b < end_part; b += 1u) {
    top = max(top, records[(first_record + b) * (BLOCK + 2u) + BLOCK]);
  }
#if ${sinks}
  var weight = exp_below(sinks_of(rows), top);
#else
  var weight = vec4<f32>();
#endif
  var left_sum = mat4x4<f32>(); // a column per row
  var right_sum = mat4x4<f32>();
  for (var b = first_part; b < end_part; b += 1u) {
    let at = (first_record + b) * (BLOCK + 2u);
    let factor = exp_below(records[at + BLOCK], top);
    weight += factor * records[at + BLOCK + 1u];
    let count = min(BLOCK, keys - b * BLOCK);
    var base = (b * BLOCK * params.kv_heads + kv_head) * columns;
    for (var j = 0u; j < count; j += 1u) {
      let w = factor * records[at + j];
      left_sum += outer(vec4<f32>(v_cache[base + left]), w);
      right_sum += outer(vec4<f32>(v_cache[base + right]), w);
      base += params.kv_heads * columns;
    }
  }
  // Constant indices, so that the sums stay in registers. Rows past the end write the last one's bits again.
  let row = rows.index * columns;
  store(row.x, left, right, left_sum[0] / weight.x, right_sum[0] / weight.x);
  store(row.y, left, right, left_sum[1] / weight.y, right_sum[1] / weight.y);
  store(row.z, left, right, left_sum[2] / weight.z, right_sum[2] / weight.z);
  store(row.w, left, right, left_sum[3] / weight.w, right_sum[3] / weight.w);
}
