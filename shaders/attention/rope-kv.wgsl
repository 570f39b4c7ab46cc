// rope-kv: splits a fused projection into query, key and value rows, normalises and rotates queries and keys (rotary
// embedding, Su et al. 2021), and appends keys and values to the cache.
//
// qkv      [tokens, (heads + 2 * kv_heads) * head_dim] scalar: query heads, then key heads, then value heads
// angles   [positions, rotary_dim / 2] (cos, sin), f32      position of token t: past + t
// q        [tokens, heads, head_dim] scalar
// k_cache, v_cache   [context, kv_heads, head_dim] scalar: rows past .. past + tokens - 1 are written
// q_gain   f32: [head_dim] if each head is normalised, [heads * head_dim] for the whole vector; k_gain likewise
// style    0: rotates the pairs (i, i + rotary_dim / 2); 1: (2i, 2i + 1); dimensions from rotary_dim on are copied
// grid     one workgroup per span (folded): a head, or (whole-vector norm) all queries, keys or values of a token;
//          lane l takes elements l, l + WG, ...
// parts    alias scalar; fn reduce_sum (lib/reduce-*.wgsl, uses WG); fn linear_group (lib/grid.wgsl)
// marks    normed: RMS-normalises queries and keys; whole: over the whole vector; early: before the rotation;
//          late: each head after it; values: also each head of the values, without a gain
// needs    rotary_dim even and <= head_dim
override WG: u32;

struct Params {
  tokens: u32,
  past: u32,
  heads: u32,
  kv_heads: u32,
  head_dim: u32,
  rotary_dim: u32,
  style: u32,
  eps: f32,
  clip: f32, // bound of queries, keys and values before the rotation; 0: none
}

@group(0) @binding(0) var<storage, read> qkv: array<scalar>;
@group(0) @binding(1) var<storage, read> angles: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> q: array<scalar>;
@group(0) @binding(3) var<storage, read_write> k_cache: array<scalar>;
@group(0) @binding(4) var<storage, read_write> v_cache: array<scalar>;
#if ${normed}
@group(0) @binding(5) var<storage, read> q_gain: array<f32>;
@group(0) @binding(6) var<storage, read> k_gain: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;
#else
@group(0) @binding(5) var<uniform> params: Params;
#endif

const QUERY = 0u;
const KEY = 1u;
const VALUE = 2u;

// Position of a span in its token's row of qkv, and its content.
struct Span {
  kind: u32, // QUERY, KEY or VALUE
  first: u32, // its first element among the elements of that kind
  length: u32,
  base: u32, // its first element in the row
}

fn span_of(index: u32) -> Span {
  let queries = params.heads * params.head_dim;
  let keys = params.kv_heads * params.head_dim;
#if ${whole}
  let kind = index;
  let first = 0u;
  let length = select(keys, queries, kind == QUERY);
#else
  let is_query = index < params.heads;
  let kind = select(select(VALUE, KEY, index < params.heads + params.kv_heads), QUERY, is_query);
  let first = params.head_dim * select((index - params.heads) % params.kv_heads, index, is_query);
  let length = params.head_dim;
#endif
  let starts = array<u32, 3>(0u, queries, queries + keys);
  return Span(kind, first, length, starts[kind] + first);
}

#if ${normed}
fn scaled(span: Span, e: u32, value: f32, factor: f32) -> f32 {
  if (span.kind == QUERY) {
    return value * factor * q_gain[e];
  }
  return value * factor * k_gain[e];
}
#endif

fn clipped(value: f32) -> f32 {
  return select(value, clamp(value, -params.clip, params.clip), params.clip > 0.0);
}

// Element e of a span, normalised if the norm comes first, and clipped.
fn normed(span: Span, row: u32, e: u32, factor: f32) -> f32 {
  let value = f32(qkv[row + span.base + e]);
#if ${early}
  return clipped(scaled(span, e, value, factor));
#else
  return clipped(value);
#endif
}

// Element e of a span, rotated, and normalised if the norm comes first.
fn turned(span: Span, row: u32, e: u32, factor: f32, position: u32) -> f32 {
  let dim = e % params.head_dim;
  let value = normed(span, row, e, factor);
  if (dim >= params.rotary_dim) {
    return value;
  }
  let pairs = params.rotary_dim / 2u;
  let first = select(dim < pairs, dim % 2u == 0u, params.style == 1u); // of the rotated pair
  let distance = select(pairs, 1u, params.style == 1u);
  let pair = select(dim % pairs, dim / 2u, params.style == 1u);
  let other = normed(span, row, select(e - distance, e + distance, first), factor);
  let turn = angles[position * pairs + pair];
  return value * turn.x + select(other, -other, first) * turn.y;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
#if ${whole}
  let spans = 3u;
#else
  let spans = params.heads + 2u * params.kv_heads;
#endif
  let index = linear_group(group, groups);
  let token = index / spans;
  if (token >= params.tokens) {
    return;
  }
  let span = span_of(index % spans);
  let row = token * (params.heads + 2u * params.kv_heads) * params.head_dim;
  let position = params.past + token;
  let cached = position * params.kv_heads * params.head_dim + span.first;
  if (span.kind == VALUE) {
#if ${values}
    var sum = 0.0;
    for (var e = lane; e < span.length; e += WG) {
      let value = f32(qkv[row + span.base + e]);
      sum += value * value;
    }
    let shrink = 1.0 / sqrt(reduce_sum(sum, lane) / f32(span.length) + params.eps);
    for (var e = lane; e < span.length; e += WG) {
      v_cache[cached + e] = scalar(clipped(shrink * f32(qkv[row + span.base + e])));
    }
#else
    for (var e = lane; e < span.length; e += WG) {
      v_cache[cached + e] = scalar(clipped(f32(qkv[row + span.base + e])));
    }
#endif
    return;
  }
  var factor = 1.0;
#if ${normed}
  var squares = 0.0;
  for (var e = lane; e < span.length; e += WG) {
#if ${late}
    let value = turned(span, row, e, 1.0, position);
#else
    let value = f32(qkv[row + span.base + e]);
#endif
    squares += value * value;
  }
  factor = 1.0 / sqrt(reduce_sum(squares, lane) / f32(span.length) + params.eps);
#endif
  for (var e = lane; e < span.length; e += WG) {
#if ${late}
    let value = scalar(scaled(span, e, turned(span, row, e, 1.0, position), factor));
#else
    let value = scalar(turned(span, row, e, factor, position));
#endif
    if (span.kind == QUERY) {
      q[token * params.heads * params.head_dim + span.first + e] = value;
    } else {
      k_cache[cached + e] = value;
    }
  }
}
