// attention: o[t, h, :] = sum_j softmax_j(scale * q[t, h, :] . k[j, g, :]) v[j, g, :] for few query tokens
//
// Token t sees keys j <= past + t, and of those only the last `window` where window > 0. Query head h reads key head
// g = h / (heads / kv_heads). The keys of a token are cut into `splits` equal spans, one workgroup each.
//
// q, o     [tokens, heads, head_dim] scalar, as vec4      k_cache, v_cache   [context, kv_heads, head_dim] scalar, as vec4
// partials [tokens, heads, splits, head_dim / 4 + 1] vec4 f32, where keys are split: the weighted sum of values, then
//          (largest score, sum of weights, 0, 0); attention-combine adds the spans up
// grid     one workgroup per (token, key head, ROWS = 4 * QUADS of its query heads, span), folded, the span innermost
// lanes    scores: lane l takes key tile + l for all rows; values: lane l takes column l % (head_dim / 4) for all rows,
//          and every (WG / columns)-th key
// parts    alias scalar, scalar4; const WG, QUADS; fn linear_group (lib/grid.wgsl)
// marks    split: writes partials; else splits is 1 and o is written
// needs    head_dim a multiple of 4, head_dim / 4 <= WG
struct Params {
  tokens: u32,
  past: u32,
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  scale: f32,
  window: u32,
  splits: u32,
}

@group(0) @binding(0) var<storage, read> q: array<scalar4>;
@group(0) @binding(1) var<storage, read> k_cache: array<scalar4>;
@group(0) @binding(2) var<storage, read> v_cache: array<scalar4>;
#if ${split}
@group(0) @binding(3) var<storage, read_write> partials: array<vec4<f32>>;
#else
@group(0) @binding(3) var<storage, read_write> o: array<scalar4>;
#endif
@group(0) @binding(4) var<uniform> params: Params;

const MASKED = -3.0e38; // below every score; WGSL may assume that there is no infinity
const ROWS = 4u * QUADS;
const LEAST_EXPONENT = -87.0; // exp of less is no normal f32

// Four rows (query heads) travel together: a column of a matrix, or a component of a vec4, belongs to one of them.
var<workgroup> rows_of_q: array<mat4x4<f32>, QUADS * WG>; // scaled; at the end the lanes' sums of values
var<workgroup> scores: array<vec4<f32>, QUADS * WG>; // at the end the lanes' sums of weights
var<workgroup> weights: array<vec4<f32>, QUADS * WG>;

fn exp_below(value: vec4<f32>, top: vec4<f32>) -> vec4<f32> {
  return exp(max(value - top, vec4<f32>(LEAST_EXPONENT)));
}

// Columns v * w.x, v * w.y, ...
fn outer(v: vec4<f32>, w: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(w.x * v, w.y * v, w.z * v, w.w * v);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let columns = params.head_dim / 4u;
  let shared_by = params.heads / params.kv_heads; // query heads per key head
  let chunks = (shared_by + ROWS - 1u) / ROWS;
  let index = linear_group(group, groups);
  let split = index % params.splits;
  let chunk = (index / params.splits) % chunks;
  let kv_head = (index / (params.splits * chunks)) % params.kv_heads;
  let token = index / (params.splits * chunks * params.kv_heads);
  if (token >= params.tokens) {
    return;
  }
  let rows = min(ROWS, shared_by - chunk * ROWS);
  let first_row = token * params.heads + kv_head * shared_by + chunk * ROWS;

  let seen = params.past + token + 1u; // keys 0 .. seen - 1
  let oldest = select(0u, seen - min(seen, params.window), params.window > 0u);
  let span = (seen - oldest + params.splits - 1u) / params.splits;
  let first = min(oldest + split * span, seen);
  let last = min(first + span, seen);

  for (var i = lane; i < ROWS * columns; i += WG) {
    let row = i / columns;
    let from_row = first_row + min(row, rows - 1u); // rows past the end repeat the last one, and are not stored
    let value = params.scale * vec4<f32>(q[from_row * columns + i % columns]);
    rows_of_q[(row / 4u) * columns + i % columns][row % 4u] = value;
  }
  workgroupBarrier();

  let column = lane % columns;
  let share = lane / columns;
  let shares = WG / columns;
  let key_stride = params.kv_heads * columns;
  let head_base = kv_head * columns;
  var top: array<vec4<f32>, QUADS>;
  var weight: array<vec4<f32>, QUADS>;
  var sum: array<mat4x4<f32>, QUADS>;
  for (var n = 0u; n < QUADS; n += 1u) {
    top[n] = vec4<f32>(MASKED);
  }
  for (var tile = first; tile < last; tile += WG) {
    let key = tile + lane;
    // Spelt out: SwiftShader does not zero a bare `var` again in every turn of a loop.
    var score = array<vec4<f32>, QUADS>();
    if (key < last) {
      let base = key * key_stride + head_base;
      for (var c = 0u; c < columns; c += 1u) {
        let k = vec4<f32>(k_cache[base + c]);
        for (var n = 0u; n < QUADS; n += 1u) {
          score[n] += k * rows_of_q[n * columns + c];
        }
      }
    }
    for (var n = 0u; n < QUADS; n += 1u) {
      scores[n * WG + lane] = score[n];
    }
    workgroupBarrier();
    let keys = min(WG, last - tile);
    for (var n = 0u; n < QUADS; n += 1u) {
      var largest = top[n];
      for (var j = 0u; j < keys; j += 1u) {
        largest = max(largest, scores[n * WG + j]);
      }
      let shrink = exp_below(top[n], largest);
      let mine = select(vec4<f32>(), exp_below(score[n], largest), key < last);
      weights[n * WG + lane] = mine;
      weight[n] = weight[n] * shrink + mine;
      let s = sum[n];
      sum[n] = mat4x4<f32>(s[0] * shrink.x, s[1] * shrink.y, s[2] * shrink.z, s[3] * shrink.w);
      top[n] = largest;
    }
    workgroupBarrier();
    if (share < shares) {
      for (var j = share; j < keys; j += shares) {
        let v = vec4<f32>(v_cache[(tile + j) * key_stride + head_base + column]);
        for (var n = 0u; n < QUADS; n += 1u) {
          sum[n] += outer(v, weights[n * WG + j]);
        }
      }
    }
  }

  for (var n = 0u; n < QUADS; n += 1u) {
    rows_of_q[n * WG + lane] = sum[n];
    scores[n * WG + lane] = weight[n];
  }
  workgroupBarrier();
  if (lane >= columns) {
    return;
  }
  for (var n = 0u; n < QUADS; n += 1u) {
    var total = rows_of_q[n * WG + lane];
    for (var s = 1u; s < shares; s += 1u) {
      total += rows_of_q[n * WG + s * columns + lane];
    }
    var total_weight = vec4<f32>();
    for (var i = 0u; i < WG; i += 1u) {
      total_weight += scores[n * WG + i];
    }
    for (var r = 4u * n; r < min(rows, 4u * n + 4u); r += 1u) {
#if ${split}
      let at = ((first_row + r) * params.splits + split) * (columns + 1u);
      partials[at + lane] = total[r % 4u];
      if (lane == 0u) {
        partials[at + columns] = vec4<f32>(top[n][r % 4u], total_weight[r % 4u], 0.0, 0.0);
      }
#else
      o[(first_row + r) * columns + lane] = scalar4(total[r % 4u] / total_weight[r % 4u]);
#endif
    }
  }
}
