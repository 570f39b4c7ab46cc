// expert-gate-up-lane: expert-gate-up.wgsl with independent lanes, for software adapters. Same bindings and parameters.
//
// grid   one lane per pair and strip of OUTS outputs, WG lanes per workgroup (folded), strips innermost
// parts  alias scalar4; lib/expert-lane and its parts (tile-rows-1); the pool; fn gated; fn linear_group
override WG: u32;

struct Params {
  tokens: u32,
  top_k: u32,
  experts: u32,
  hidden: u32,
  width: u32,
  act: u32,
  table_base: u32,
  slot_vec4: u32,
  gate: u32,
  up: u32,
  gate_scales: u32,
  up_scales: u32,
  gate_bias: u32,
  up_bias: u32,
}

@group(0) @binding(0) var<storage, read> x: array<scalar4>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> h: array<f32>;

var<private> pair: u32;
var<private> h_base: u32; // of the strip's first output
var<private> outs_left: u32;
#if ${biased}
var<private> bias_slot: u32;
var<private> bias_first: u32; // of the strip
#endif

fn input4(at: u32) -> vec4<f32> {
  return vec4<f32>(x[at]);
}

fn row_base(row: u32) -> u32 {
  return pair / params.top_k * (params.hidden / 4u);
}

fn emit(row: u32, out: u32, a: f32, b: f32) {
  if (out < outs_left) {
#if ${biased}
    var gate = a;
    var up = b;
    if (bias_slot != ABSENT) {
      gate += record_value(bias_slot, params.slot_vec4, params.gate_bias, bias_first + out);
      up += record_value(bias_slot, params.slot_vec4, params.up_bias, bias_first + out);
    }
    h[h_base + out] = gated(params.act, gate, up);
#else
    h[h_base + out] = gated(params.act, a, b);
#endif
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let width = params.width;
  let strips = (width + OUTS - 1u) / OUTS;
  let number = strip_of(linear_group(group, groups), lane);
  pair = number / strips;
  if (pair >= params.tokens * params.top_k) {
    return;
  }
  let first = number % strips * OUTS;
  h_base = pair * width + first;
  outs_left = width - first;
  let expert = ids[pair];
  var slot = ABSENT;
  if (expert < params.experts) {
    slot = table[params.table_base + expert];
  }
#if ${biased}
  bias_slot = slot;
  bias_first = first;
#endif
  begin_tile(lane);
  if (slot != ABSENT) {
    let units = params.hidden / UNIT;
    let gate = matrix_at(slot, params.slot_vec4, units, params.gate, params.gate_scales);
    let up = matrix_at(slot, params.slot_vec4, units, params.up, params.up_scales);
    add_products(Strip(gate, first, width - 1u), Strip(up, first, width - 1u), lane);
  }
  emit_sums(lane);
}
