// expert-down-tiled: out[place, o] = down_e[o, :] . h[place, :] for many tokens. expert-combine.wgsl sums.
//
// h      [places, width] f32, in the order of the sort
// out    [places, hidden] f32, unchanged if the expert is absent
// tiles  as in expert-gate-up-tiled.wgsl      table as in expert-down.wgsl      sums in f32
// grid   x: the tile; y: the strip of 2 OUTS outputs (or of WG strips), from first_strip on
// parts  lib/expert-staged or lib/expert-lane and their parts; the pools
// needs  width a multiple of UNIT
override WG: u32;

struct Params {
  hidden: u32,
  width: u32,
  table_base: u32,
  slot_vec4: u32,
  down: u32,
  down_scales: u32,
  down_bias: u32,
  first_strip: u32,
}

@group(0) @binding(0) var<storage, read> h: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> tiles: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

var<private> tile_first: u32; // place
var<private> tile_rows: u32;
var<private> strip_first: u32; // output
#if ${biased}
var<private> bias_slot: u32;
#endif

fn input4(at: u32) -> vec4<f32> {
  return h[at];
}

fn row_base(row: u32) -> u32 {
  return (tile_first + min(row, tile_rows - 1u)) * (params.width / 4u);
}

fn emit_one(row: u32, o: u32, sum: f32) {
  if (row < tile_rows && o < params.hidden) {
#if ${biased}
    let bias = record_value(bias_slot, params.slot_vec4, params.down_bias, o);
    out[(tile_first + row) * params.hidden + o] = sum + bias;
#else
    out[(tile_first + row) * params.hidden + o] = sum;
#endif
  }
}

fn emit(row: u32, at: u32, a: f32, b: f32) {
  emit_one(row, strip_first + at, a);
  emit_one(row, strip_first + OUTS + at, b);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let hidden = params.hidden;
  let first = strip_of(params.first_strip + group.y, lane) * (2u * OUTS);
  if (first >= hidden) {
    return;
  }
  strip_first = first;
  let tile = group.x * (4u + ROWS);
  tile_first = tiles[tile + 1u];
  tile_rows = tiles[tile + 2u];
  let slot = table[params.table_base + tiles[tile]];
#if ${biased}
  bias_slot = slot;
#endif
  begin_tile(lane);
  if (slot != ABSENT) {
    let down = matrix_at(slot, params.slot_vec4, params.width / UNIT, params.down, params.down_scales);
    add_products(Strip(down, first, hidden - 1u), Strip(down, first + OUTS, hidden - 1u), lane);
    emit_sums(lane);
  }
}
