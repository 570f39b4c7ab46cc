// expert-down-lane: expert-down.wgsl with independent lanes, for software adapters. Same bindings and parameters.
//
// grid   one lane per token and strip of 2 OUTS outputs, WG lanes per workgroup (folded), strips innermost; h is
//        multiplied by its weight when it is read, and sums run over the ranks in order
// parts  alias scalar; lib/expert-lane and its parts (tile-rows-1); the pool; fn linear_group
override WG: u32;

struct Params {
  tokens: u32,
  top_k: u32,
  experts: u32,
  hidden: u32,
  width: u32,
  table_base: u32,
  slot_vec4: u32,
  down: u32,
  down_scales: u32,
  down_bias: u32,
}

@group(0) @binding(0) var<storage, read> h: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<scalar>;

var<private> token: u32;
var<private> pair: u32;
var<private> weight: f32;
var<private> strip_first: u32;

fn input4(at: u32) -> vec4<f32> {
  return weight * h[at];
}

fn row_base(row: u32) -> u32 {
  return pair * (params.width / 4u);
}

#if ${biased}
// The weighted sum of the biases of a token's experts.
fn bias_of(o: u32) -> f32 {
  var sum = 0.0;
  for (var rank = 0u; rank < params.top_k; rank += 1u) {
    let expert = ids[token * params.top_k + rank];
    var slot = ABSENT;
    if (expert < params.experts) {
      slot = table[params.table_base + expert];
    }
    if (slot != ABSENT) {
      let bias = record_value(slot, params.slot_vec4, params.down_bias, o);
      sum = fma(weights[token * params.top_k + rank], bias, sum);
    }
  }
  return sum;
}
#endif

fn emit_one(o: u32, sum: f32) {
  if (o < params.hidden) {
#if ${biased}
    y[token * params.hidden + o] = scalar(sum + bias_of(o));
#else
    y[token * params.hidden + o] = scalar(sum);
#endif
  }
}

fn emit(row: u32, at: u32, a: f32, b: f32) {
  emit_one(strip_first + at, a);
  emit_one(strip_first + OUTS + at, b);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let hidden = params.hidden;
  let strips = (hidden + 2u * OUTS - 1u) / (2u * OUTS);
  let number = strip_of(linear_group(group, groups), lane);
  token = number / strips;
  if (token >= params.tokens) {
    return;
  }
  let first = number % strips * (2u * OUTS);
  strip_first = first;
  let top_k = params.top_k;
  let units = params.width / UNIT;
  for (var rank = 0u; rank < top_k; rank += 1u) {
    pair = token * top_k + rank;
    weight = weights[pair];
    let expert = ids[pair];
    var slot = ABSENT;
    if (expert < params.experts) {
      slot = table[params.table_base + expert];
    }
    if (slot != ABSENT) {
      begin_tile(lane);
      let down = matrix_at(slot, params.slot_vec4, units, params.down, params.down_scales);
      add_products(Strip(down, first, hidden - 1u), Strip(down, first + OUTS, hidden - 1u), lane);
    }
  }
  emit_sums(lane);
}
