// atomic-scores: act(in_e . x[token, :]) for the expert e of each (token, rank) pair
//
// x        [tokens, hidden] scalar      ids [tokens, top_k] u32      sums in f32
// neurons  [tokens, top_k] (bits of an f32 activation, slot number), the input of atomic-combine; 0 for ABSENT experts
// table    slot numbers of pages from table_base on: lib/atomic-rows.wgsl; `in_base` is the offset of the input
//          vectors in a record in vec4s, `in_scales` that of their scales in words
// grid     one workgroup per four pairs of a token (folded), pairs innermost; lane l takes units l, l + WG, ... of a
//          vector
// parts    alias scalar4; lib/weights-*, lib/dot-*, lib/expert-pool-* and the pools, lib/atomic-rows, lib/activation;
//          fn reduce4 (lib/reduce4-*.wgsl); fn linear_group (lib/grid.wgsl)
// needs    hidden a multiple of UNIT
override WG: u32;

struct Params {
  tokens: u32,
  hidden: u32,
  top_k: u32,
  act: u32,
  page_experts: u32,
  table_base: u32,
  slot_vec4: u32,
  in_base: u32,
  in_scales: u32,
}

@group(0) @binding(0) var<storage, read> x: array<scalar4>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> neurons: array<vec2<u32>>;

fn input4(at: u32) -> vec4<f32> {
  return vec4<f32>(x[at]);
}

// An absent expert is read as slot 0, and its result discarded.
fn input_row(id: u32, slot: u32, units: u32) -> AtomicRow {
  return atomic_row(select(slot, 0u, slot == ABSENT), id, units, params.in_base);
}

fn row_dot(at: AtomicRow, unit: u32, units: u32, inputs: UnitInputs) -> f32 {
#if ${sided}
  let words = pool_load(at.slot, at.base + load_index(unit));
  return unit_dot(words, inputs, atomic_scale(at, unit, units, params.in_scales));
#else
  let words = pool_load(at.slot, at.base + load_index(unit));
  return atomic_scale(at, unit, units, params.in_scales) * unit_dot(words, inputs);
#endif
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let blocks = (params.top_k + 3u) / 4u;
  let number = linear_group(group, groups);
  let token = number / blocks;
  if (token >= params.tokens) {
    return;
  }
  let units = params.hidden / UNIT;
  let first = number % blocks * 4u;
  let ranks = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.top_k - 1u));
  let pairs = vec4<u32>(token * params.top_k) + ranks;
  let experts = vec4<u32>(ids[pairs.x], ids[pairs.y], ids[pairs.z], ids[pairs.w]);
  let pages = vec4<u32>(params.table_base) + experts / vec4<u32>(params.page_experts);
  let slots = vec4<u32>(table[pages.x], table[pages.y], table[pages.z], table[pages.w]);
  let a = input_row(experts.x, slots.x, units);
  let b = input_row(experts.y, slots.y, units);
  let c = input_row(experts.z, slots.z, units);
  let d = input_row(experts.w, slots.w, units);
  let inputs_base = token * (params.hidden / 4u);
  var sums = vec4<f32>();
  for (var unit = lane; unit < units; unit += WG) {
    let inputs = unit_inputs(inputs_base + unit * UNIT_VEC4);
    sums += vec4<f32>(
      row_dot(a, unit, units, inputs),
      row_dot(b, unit, units, inputs),
      row_dot(c, unit, units, inputs),
      row_dot(d, unit, units, inputs),
    );
  }
  sums = reduce4(sums, lane);
  if (lane < min(4u, params.top_k - first)) {
    let value = select(activate(params.act, sums[lane]), 0.0, slots[lane] == ABSENT);
    neurons[pairs[lane]] = vec2<u32>(bitcast<u32>(value), slots[lane]);
  }
}
