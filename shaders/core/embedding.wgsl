// embedding: y[t, :] = multiplier * table[ids[t], :], zeros if the id is outside the vocabulary
//
// ids    [tokens] u32      table [rows, cols] in any weight format: the rows from `first` on. Other dispatches write
//        the tokens of other rows; the one with row 0 writes those outside the vocabulary
// y      [tokens, cols] scalar
// grid   one lane per unit of the output (folded)
// parts  alias scalar4; UNIT, UNIT_VEC4, unpack_unit (lib/weights-*.wgsl); unit_scale (lib/scales.wgsl); linear_group
// needs  cols a multiple of UNIT
override WG: u32;

struct Params {
  tokens: u32,
  vocab: u32,
  cols: u32,
  scales: u32,
  multiplier: f32,
  first: u32,
  rows: u32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<scalar4>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let units = params.cols / UNIT;
  let at = linear_group(group, groups) * WG + lane;
  let token = at / units;
  if (token >= params.tokens) {
    return;
  }
  let unit = at - token * units;
  let id = ids[token];
  let is_known = id < params.vocab;
  let row = select(0u, id, is_known) - params.first; // wraps around if the row is before `first`
  if (row >= params.rows) {
    return;
  }
  let factor = select(0.0, params.multiplier, is_known);
  let words = table[load_index(row * units + unit)];
  let values = unpack_unit(words, unit_scale(row, unit, params.cols, params.scales));
  for (var i = 0u; i < UNIT_VEC4; i++) {
    y[at * UNIT_VEC4 + i] = scalar4(factor * values[i]);
  }
}
