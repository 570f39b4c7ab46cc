// expert-down-pairs: out[pair, o] = down_e[o, :] . h[pair, :] for the pair's expert e. expert-combine.wgsl sums.
//
// out     [tokens * top_k, hidden] f32, 0 if the expert is absent or none; other bindings as in expert-down.wgsl
// grid    one workgroup per pair and eight outputs (folded), output blocks innermost
// parts   lib/weights-*, dot-*, expert-pool-* and the pools, expert-matrix; fn reduce4 (lib/reduce4-*);
//         fn linear_group (lib/grid.wgsl)
// needs   width a multiple of UNIT
override WG: u32;

const ROWS = 8u;

struct Params {
  pairs: u32,
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
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn input4(at: u32) -> vec4<f32> {
  return h[at];
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let hidden = params.hidden;
  let blocks = (hidden + ROWS - 1u) / ROWS;
  let number = linear_group(group, groups);
  let pair = number / blocks;
  if (pair >= params.pairs) {
    return;
  }
  let first = (number % blocks) * ROWS;
  let low_rows = row_block(first, hidden);
  let high_rows = row_block(first + 4u, hidden);
  let units = params.width / UNIT;
  let expert = ids[pair];
  var slot = ABSENT;
  if (expert < params.experts) {
    slot = table[params.table_base + expert];
  }
  var low = vec4<f32>();
  var high = vec4<f32>();
  if (slot != ABSENT) {
    let down = matrix_at(slot, params.slot_vec4, units, params.down, params.down_scales);
    for (var unit = lane; unit < units; unit += WG) {
      let inputs = unit_inputs((pair * units + unit) * UNIT_VEC4);
      low += rows_dot(down, low_rows, unit, inputs);
      high += rows_dot(down, high_rows, unit, inputs);
    }
  }
  low = reduce4(low, lane);
  high = reduce4(high, lane);
#if ${biased}
  if (slot != ABSENT) {
    low += record_values(slot, params.slot_vec4, params.down_bias, low_rows);
    high += record_values(slot, params.slot_vec4, params.down_bias, high_rows);
  }
#endif
  for (var row = lane; row < min(ROWS, hidden - first); row += WG) {
    out[pair * hidden + first + row] = select(low[row % 4u], high[row % 4u], row >= 4u);
  }
}
