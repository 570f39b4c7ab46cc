// expert-gate-up: h[pair, i] = act(gate_e[i, :] . x[token, :]) * (up_e[i, :] . x[token, :]) for the pair's expert e
//
// x     [tokens, hidden] scalar      ids [tokens, top_k] u32: the pair's expert
// h     [tokens * top_k, width] f32  0 if the expert is absent or none      sums in f32
// table slot numbers from table_base on; a slot holds a record (lib/expert-pool-*.wgsl); `gate` and `up` are the
//       offsets of its matrices [width, hidden] in vec4s, `gate_scales` and `up_scales` those of their scales in words,
//       `gate_bias` and `up_bias` those of vectors of f32 in vec4s, with the mark biased: added to both products
// grid  one workgroup per pair and four rows (folded), row blocks innermost; lane l takes units l, l + WG, ... of a row
// parts alias scalar4; lib/weights-*, dot-*, expert-pool-* and the pools, expert-matrix; fn reduce4 (lib/reduce4-*);
//       fn gated (lib/activation.wgsl); fn linear_group (lib/grid.wgsl)
// needs hidden a multiple of UNIT
override WG: u32;

const ROWS = 4u;

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

fn input4(at: u32) -> vec4<f32> {
  return vec4<f32>(x[at]);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let width = params.width;
  let blocks = (width + ROWS - 1u) / ROWS;
  let number = linear_group(group, groups);
  let pair = number / blocks;
  if (pair >= params.tokens * params.top_k) {
    return;
  }
  let first = (number % blocks) * ROWS;
  let expert = ids[pair];
  var slot = ABSENT;
  if (expert < params.experts) {
    slot = table[params.table_base + expert];
  }
  var gates = vec4<f32>();
  var ups = vec4<f32>();
  if (slot != ABSENT) {
    let units = params.hidden / UNIT;
    let gate = matrix_at(slot, params.slot_vec4, units, params.gate, params.gate_scales);
    let up = matrix_at(slot, params.slot_vec4, units, params.up, params.up_scales);
    let rows = row_block(first, width);
    let token = (pair / params.top_k) * (params.hidden / 4u);
    for (var unit = lane; unit < units; unit += WG) {
      let inputs = unit_inputs(token + unit * UNIT_VEC4);
      gates += rows_dot(gate, rows, unit, inputs);
      ups += rows_dot(up, rows, unit, inputs);
    }
  }
  gates = reduce4(gates, lane);
  ups = reduce4(ups, lane);
  for (var row = lane; row < min(ROWS, width - first); row += WG) {
    var gate = gates[row];
    var up = ups[row];
#if ${biased}
    if (slot != ABSENT) {
      gate += record_value(slot, params.slot_vec4, params.gate_bias, first + row);
      up += record_value(slot, params.slot_vec4, params.up_bias, first + row);
    }
#endif
    h[pair * width + first + row] = gated(params.act, gate, up);
  }
}
