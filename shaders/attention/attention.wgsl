// attention: o[t, h, :] = sum_j softmax_j(scale * q[t, h, :] . k[j, g, :]) v[j, g, :] for few query tokens
//
// Token t attends to keys j <= past + t; if window > 0, only to the last `window` of these; if chunk > 0, only to those
// with its own j / chunk. Query head h reads key head g = h / (heads / kv_heads).
// The keys of a token are divided into `splits` equal spans, one workgroup each.
//
// q, o     [tokens, heads, head_dim] scalar, as vec4
// k_cache, v_cache  [context, kv_heads, head_dim] scalar, as vec4
// partials [tokens, heads, splits, head_dim / 4 + 1] vec4 f32, if keys are split: the weighted sum of values, then
//          (largest score, sum of weights, 0, 0); attention-combine combines the spans
// grid     one workgroup per (token, key head, ROWS = TOGETHER * SETS of its query heads, span), folded, the span
//          innermost
// lanes    scores: lane l takes key tile + l for all rows; values: lane l takes column l % (head_dim / 4) for all rows,
//          and every (WG / columns)-th key; with more columns than lanes, columns l, l + WG, ... and every key
// parts    alias scalar, scalar4; const WG, SETS, MOST_COLUMNS, PARTS = ceil(MOST_COLUMNS / WG); lib/heads-*.wgsl; fn
//          linear_group (lib/grid.wgsl)
// sinks    [heads] f32: scores of a key without a value, which the first span includes
// key_bias [context, kv_heads] f32: added to the scaled scores of a key
// marks    split: writes partials; otherwise splits is 1 and o is written; sinks, biased: there are sinks, or
//          biases of keys
// needs    head_dim a multiple of 4, head_dim / 4 <= MOST_COLUMNS
struct Params {
  tokens: u32,
  past: u32,
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  scale: f32,
  window: u32,
  chunk: u32,
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

const MASKED = -3.0e38; // below every score; WGSL may assume that there is no infinity
const ROWS = TOGETHER * SETS;
const LEAST_EXPONENT = -87.0; // below, exp gives no normal f32

var<workgroup> heads_of_q: array<Columns, SETS * MOST_COLUMNS>; // scaled; at the end the lanes' sums of values
var<workgroup> scores: array<Scores, SETS * WG>; // at the end the lanes' sums of weights
var<workgroup> weights: array<Scores, SETS * WG>;

fn exp_below(value: Scores, top: Scores) -> Scores {
  return exp(max(value - top, Scores(LEAST_EXPONENT)));
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
  var oldest = select(0u, seen - min(seen, params.window), params.window > 0u);
  if (params.chunk > 0u) {
    oldest = (seen - 1u) / params.chunk * params.chunk;
  }
  let span = (seen - oldest + params.splits - 1u) / params.splits;
  let first = min(oldest + split * span, seen);
  let last = min(first + span, seen);

  for (var i = lane; i < ROWS * columns; i += WG) {
    let row = i / columns;
    let from_row = first_row + min(row, rows - 1u); // rows past the end repeat the last one, and are not stored
    let value = params.scale * vec4<f32>(q[from_row * columns + i % columns]);
    put_head((row / TOGETHER) * columns + i % columns, row % TOGETHER, value);
  }
  workgroupBarrier();

  let share = lane / columns; // 0 with more columns than lanes
  let shares = max(WG / columns, 1u);
  let column = lane - share * columns;
  let key_stride = params.kv_heads * columns;
  let head_base = kv_head * columns;
  var top: array<Scores, SETS>;
  var weight: array<Scores, SETS>;
  var sum: array<Columns, PARTS * SETS>;
  for (var n = 0u; n < SETS; n += 1u) {
#if ${sinks}
    if (split == 0u) {
      let row = min(TOGETHER * n + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u));
      let head = kv_head * shared_by + chunk * ROWS + row;
      top[n] = scores_of(vec4<f32>(sinks[head.x], sinks[head.y], sinks[head.z], sinks[head.w]));
      weight[n] = select(Scores(), Scores(1.0), lane == 0u); // the sum over all lanes
    } else {
      top[n] = Scores(MASKED);
    }
#else
    top[n] = Scores(MASKED);
#endif
  }
  for (var tile = first; tile < last; tile += WG) {
    let key = tile + lane;
    // Explicit: SwiftShader does not reset a `var` without initialiser in every iteration of a loop.
    var score = array<Scores, SETS>();
    if (key < last) {
      let base = key * key_stride + head_base;
      for (var c = 0u; c < columns; c += 1u) {
        let k = vec4<f32>(k_cache[base + c]);
        for (var n = 0u; n < SETS; n += 1u) {
          score[n] += dots(k, heads_of_q[n * columns + c]);
        }
      }
#if ${biased}
      for (var n = 0u; n < SETS; n += 1u) {
        score[n] += Scores(key_bias[key * params.kv_heads + kv_head]);
      }
#endif
    }
    for (var n = 0u; n < SETS; n += 1u) {
      scores[n * WG + lane] = score[n];
    }
    workgroupBarrier();
    let keys = min(WG, last - tile);
    for (var n = 0u; n < SETS; n += 1u) {
      var largest = top[n];
      for (var j = 0u; j < keys; j += 1u) {
        largest = max(largest, scores[n * WG + j]);
      }
      let shrink = exp_below(top[n], largest);
      let mine = select(Scores(), exp_below(score[n], largest), key < last);
      weights[n * WG + lane] = mine;
      weight[n] = weight[n] * shrink + mine;
      for (var p = 0u; p < PARTS; p += 1u) {
        sum[p * SETS + n] = scaled(sum[p * SETS + n], shrink);
      }
      top[n] = largest;
    }
    workgroupBarrier();
    if (share < shares) {
      for (var j = share; j < keys; j += shares) {
        let at = (tile + j) * key_stride + head_base + column;
        for (var p = 0u; p < PARTS; p += 1u) {
          if (column + p * WG < columns) {
            let v = vec4<f32>(v_cache[at + p * WG]);
            for (var n = 0u; n < SETS; n += 1u) {
              sum[p * SETS + n] += outer(v, weights[n * WG + j]);
            }
          }
        }
      }
    }
  }

  for (var n = 0u; n < SETS; n += 1u) {
    scores[n * WG + lane] = weight[n];
  }
  for (var p = 0u; p < PARTS; p += 1u) {
    workgroupBarrier(); // the previous part has been read
    for (var n = 0u; n < SETS; n += 1u) {
      heads_of_q[n * WG + lane] = sum[p * SETS + n];
    }
    workgroupBarrier();
    let own = p * WG + lane;
    for (var n = 0u; n < SETS; n += 1u) {
      if (own < columns) {
        var total = heads_of_q[n * WG + lane];
        for (var s = 1u; s < shares; s += 1u) {
          total += heads_of_q[n * WG + s * columns + lane];
        }
        var total_weight = Scores();
        for (var i = 0u; i < WG; i += 1u) {
          total_weight += scores[n * WG + i];
        }
        for (var r = TOGETHER * n; r < min(rows, TOGETHER * (n + 1u)); r += 1u) {
          let head = r % TOGETHER;
#if ${split}
          let at = ((first_row + r) * params.splits + split) * (columns + 1u);
          partials[at + own] = head_columns(total, head);
          if (own == 0u) {
            partials[at + columns] = vec4<f32>(head_score(top[n], head), head_score(total_weight, head), 0.0, 0.0);
          }
#else
          o[(first_row + r) * columns + own] = scalar4(head_columns(total, head) / head_score(total_weight, head));
#endif
        }
      }
    }
  }
}
