// atomic-combine: y[token, :] = sum over the token's pairs, in rank order, of weight * activation * out_e
//
// neurons  [tokens, top_k] (bits of a f32 activation, slot number) from atomic-scores
// ids      [tokens, top_k] u32      weights [tokens, top_k] f32      y [tokens, hidden] scalar      sums in f32
//          `out_base` is the offset of the output vectors in a record in vec4s, `out_scales` that of their scales in
//          words
// grid     a workgroup has TEAMS teams, one per token, of SLICES rows of COLS lanes; a lane computes one unit of the
//          columns, and slice s the ranks 4 s .. 4 s + 3 (mod 4 SLICES); the slices are added in order. Tokens are
//          innermost, blocks of COLS units outermost: concurrent workgroups read the same columns of all output
//          vectors, which then stay in a cache.
// parts    alias scalar4; lib/weights-*, lib/expert-pool-* and the pools, lib/atomic-rows; Acc, add_unit, acc_vec4s
//          (generated); fn fetch4 (lib/fetch4-*.wgsl); fn linear_group (lib/grid.wgsl)
// needs    hidden a multiple of UNIT; consts COLS, SLICES, TEAMS, with WG = COLS * SLICES * TEAMS
override WG: u32;

struct Params {
  tokens: u32,
  hidden: u32,
  top_k: u32,
  page_experts: u32,
  slot_vec4: u32,
  out_base: u32,
  out_scales: u32,
}

@group(0) @binding(0) var<storage, read> neurons: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<scalar4>;

var<workgroup> slice_sums: array<vec4<f32>, SCRATCH>;

// One pair's contribution; gain is 0 for absent experts and for ranks past the last.
struct Pair {
  gain: f32,
  slot: u32,
  base: u32, // as in AtomicRow
  row: u32,
}

fn pair_at(token: u32, rank: u32) -> Pair {
  if (rank >= params.top_k) {
    return Pair(0.0, 0u, 0u, 0u);
  }
  let at = token * params.top_k + rank;
  let neuron = neurons[at];
  let slot = select(neuron.y, 0u, neuron.y == ABSENT); // its activation is 0
  let place = atomic_row(slot, ids[at], params.hidden / UNIT, params.out_base);
  return Pair(bitcast<f32>(neuron.x) * weights[at], place.slot, place.base, place.row);
}

// Unused memory may decode to NaN or infinity, so zero words are selected. A select costs less than a branch.
fn add_pair(acc: Acc, pair: Pair, unit: u32, units: u32) -> Acc {
  let is_there = pair.gain != 0.0;
  let words = select(vec4<u32>(0u), pool_load(pair.slot, pair.base + load_index(unit)), is_there);
  let scale = atomic_scale(AtomicRow(pair.slot, pair.base, pair.row), unit, units, params.out_scales);
#if ${sided}
  if (!is_there) {
    return acc;
  }
  return add_unit(acc, unpack_unit(words, scale), pair.gain);
#else
  return add_unit(acc, unpack_unit(words, select(0.0, scale, is_there)), pair.gain);
#endif
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let units = params.hidden / UNIT;
  let blocks = (units + COLS - 1u) / COLS;
  let tiles = (params.tokens + TEAMS - 1u) / TEAMS;
  let number = linear_group(group, groups);
  if (number >= blocks * tiles) {
    return;
  }
  let col = lane % COLS;
  let slice = lane / COLS % SLICES;
  // Lanes past the edges compute the last token or unit again and write nothing: control flow stays uniform.
  let own_token = number % tiles * TEAMS + lane / (COLS * SLICES);
  let own_unit = number / tiles * COLS + col;
  let token = min(own_token, params.tokens - 1u);
  let unit = min(own_unit, units - 1u);
  var acc = Acc();
  for (var first = 0u; first < params.top_k; first += 4u * SLICES) {
    let four = fetch4(token, first + 4u * slice, lane);
    acc = add_pair(acc, four.a, unit, units);
    acc = add_pair(acc, four.b, unit, units);
    acc = add_pair(acc, four.c, unit, units);
    acc = add_pair(acc, four.d, unit, units);
  }
  var sums = acc_vec4s(acc);
  if (SLICES > 1u) {
    for (var i = 0u; i < UNIT_VEC4; i++) {
      slice_sums[lane * UNIT_VEC4 + i] = sums[i];
    }
    workgroupBarrier();
    for (var other = 1u; other < SLICES; other++) {
      for (var i = 0u; i < UNIT_VEC4; i++) {
        sums[i] += slice_sums[(lane + other * COLS) % WG * UNIT_VEC4 + i];
      }
    }
  }
  if (slice == 0u && own_token < params.tokens && own_unit < units) {
    let base = token * (params.hidden / 4u) + unit * UNIT_VEC4;
    for (var i = 0u; i < UNIT_VEC4; i++) {
      y[base + i] = scalar4(sums[i]);
    }
  }
}
