// expert-gate-up-tiled: h[place, i] = act(gate_e[i, :] . x[token, :]) * (up_e[i, :] . x[token, :]) for many tokens
//
// x      [tokens, hidden] scalar
// tiles  records of 4 + ROWS words (sparse-dispatch.wgsl): expert, first place, rows, 0, the rows' pair numbers
// h      [places, width] f32, in the order of the sort; unchanged if the expert is absent      sums in f32
// table  as in expert-gate-up.wgsl
// grid   x: the tile, counted by sparse-dispatch; y: the strip of OUTS outputs (or of WG strips), from first_strip
//        on
// parts  alias scalar4; lib/expert-staged or lib/expert-lane and their parts; the pools; fn activate
// needs  hidden a multiple of UNIT
override WG: u32;

struct Params {
  top_k: u32,
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
  first_strip: u32,
}

@group(0) @binding(0) var<storage, read> x: array<scalar4>;
@group(0) @binding(1) var<storage, read> tiles: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> h: array<f32>;

var<private> tile_pairs: u32; // index of the first pair number in `tiles`
var<private> tile_rows: u32;
var<private> h_base: u32; // of the tile's first row and the strip's first output
var<private> outs_left: u32;
#if ${biased}
var<private> bias_slot: u32;
var<private> bias_first: u32; // of the strip
#endif

fn input4(at: u32) -> vec4<f32> {
  return vec4<f32>(x[at]);
}

fn row_base(row: u32) -> u32 {
  let pair = tiles[tile_pairs + min(row, tile_rows - 1u)];
  return pair / params.top_k * (params.hidden / 4u);
}

fn emit(row: u32, out: u32, a: f32, b: f32) {
  if (row < tile_rows && out < outs_left) {
#if ${biased}
    let gate = a + record_value(bias_slot, params.slot_vec4, params.gate_bias, bias_first + out);
    let up = b + record_value(bias_slot, params.slot_vec4, params.up_bias, bias_first + out);
    h[h_base + row * params.width + out] = gated(params.act, gate, up);
#else
    h[h_base + row * params.width + out] = gated(params.act, a, b);
#endif
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let width = params.width;
  let first = strip_of(params.first_strip + group.y, lane) * OUTS;
  if (first >= width) {
    return;
  }
  let tile = group.x * (4u + ROWS);
  tile_pairs = tile + 4u;
  tile_rows = tiles[tile + 2u];
  h_base = tiles[tile + 1u] * width + first;
  outs_left = width - first;
  let slot = table[params.table_base + tiles[tile]];
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
    emit_sums(lane);
  }
}
