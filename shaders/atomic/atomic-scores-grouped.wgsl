// atomic-scores-grouped: atomic-scores with the pairs sorted by expert, so that each input vector is
// read once
//
// x        [tokens, hidden] scalar      sums in f32
// sorted   [pairs] (id, pair) by ascending id: the pairs of an expert are adjacent; pair = token * top_k + rank
// neurons  [tokens, top_k] (bits of a f32 activation, slot number): each pair writes its own entry
// table    as in atomic-scores
// grid     one workgroup per four adjacent pairs (folded); lane l takes units l, l + WG, ... of a vector. If the four
//          have the same expert, as most do with many pairs per expert, its vector is read and unpacked once; the next
//          workgroup finds it in a cache. The cost does not depend on segment lengths, and no workgroup is empty.
// parts    alias scalar4; lib/weights-*, lib/expert-pool-* and the pools, lib/atomic-rows, lib/activation; dot_unit
//          (generated); fn reduce4 (lib/reduce4-*.wgsl); fn linear_group (lib/grid.wgsl)
// needs    hidden a multiple of UNIT
override WG: u32;

struct Params {
  pairs: u32,
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
@group(0) @binding(1) var<storage, read> sorted: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> neurons: array<vec2<u32>>;

fn input4(at: u32) -> vec4<f32> {
  return vec4<f32>(x[at]);
}

fn slot_of(id: u32) -> u32 {
  return table[params.table_base + id / params.page_experts];
}

// An absent expert is read as slot 0, and its result discarded.
fn input_row(id: u32, slot: u32, units: u32) -> AtomicRow {
  return atomic_row(select(slot, 0u, slot == ABSENT), id, units, params.in_base);
}

fn load_row(at: AtomicRow, unit: u32, units: u32) -> array<vec4<f32>, UNIT_VEC4> {
  let words = pool_load(at.slot, at.base + load_index(unit));
  return unpack_unit(words, atomic_scale(at, unit, units, params.in_scales));
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = 4u * linear_group(group, groups);
  if (first >= params.pairs) {
    return;
  }
  let units = params.hidden / UNIT;
  let places = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.pairs - 1u));
  let one = sorted[places.x];
  let two = sorted[places.y];
  let three = sorted[places.z];
  let four = sorted[places.w];
  let pairs = vec4<u32>(one.y, two.y, three.y, four.y);
  let slots = vec4<u32>(slot_of(one.x), slot_of(two.x), slot_of(three.x), slot_of(four.x));
  let inputs = pairs / params.top_k * (params.hidden / 4u);
  let a = input_row(one.x, slots.x, units);
  let b = input_row(two.x, slots.y, units);
  let c = input_row(three.x, slots.z, units);
  let d = input_row(four.x, slots.w, units);
  var sums = vec4<f32>();
  if (one.x == four.x) {
    for (var unit = lane; unit < units; unit += WG) {
      let weights = load_row(a, unit, units);
      let at = inputs + vec4<u32>(unit * UNIT_VEC4);
      sums += vec4<f32>(
        dot_unit(weights, at.x), dot_unit(weights, at.y),
        dot_unit(weights, at.z), dot_unit(weights, at.w),
      );
    }
  } else {
    for (var unit = lane; unit < units; unit += WG) {
      let at = inputs + vec4<u32>(unit * UNIT_VEC4);
      sums += vec4<f32>(
        dot_unit(load_row(a, unit, units), at.x),
        dot_unit(load_row(b, unit, units), at.y),
        dot_unit(load_row(c, unit, units), at.z),
        dot_unit(load_row(d, unit, units), at.w),
      );
    }
  }
  sums = reduce4(sums, lane);
  if (lane < min(4u, params.pairs - first)) {
    let value = select(activate(params.act, sums[lane]), 0.0, slots[lane] == ABSENT);
    neurons[pairs[lane]] = vec2<u32>(bitcast<u32>(value), slots[lane]);
  }
}
