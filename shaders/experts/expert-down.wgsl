// expert-down: y[token, o] = sum over ranks r of weights[token, r] * (down_e[o, :] . h[pair, :]), e the pair's expert
//
// h       [tokens * top_k, width] f32        ids [tokens, top_k] u32        weights [tokens, top_k] f32
// y       [tokens, hidden] scalar            a pair without a present expert adds nothing        sums in f32
// table   as in expert-gate-up.wgsl; `down` is the offset of the matrix [hidden, width] in a record, in vec4s,
//         `down_bias` that of a vector of f32, with the mark biased: added to the product
// grid    one workgroup per token and eight outputs (folded), output blocks innermost; lane l takes units
//         l, l + WG, ... of a row. Products are summed per pair and then in rank order, which gives the same bits as
//         expert-down-pairs.wgsl and expert-combine.wgsl
// parts   alias scalar; lib/weights-*, dot-*, expert-pool-* and the pool, expert-matrix; fn reduce4 (lib/reduce4-*);
//         fn linear_group (lib/grid.wgsl)
// needs   width a multiple of UNIT
override WG: u32;

const ROWS = 8u;

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
  let token = number / blocks;
  if (token >= params.tokens) {
    return;
  }
  let first = (number % blocks) * ROWS;
  let low_rows = row_block(first, hidden);
  let high_rows = row_block(first + 4u, hidden);
  let units = params.width / UNIT;
  var low_sum = vec4<f32>();
  var high_sum = vec4<f32>();
  for (var rank = 0u; rank < params.top_k; rank += 1u) {
    let pair = token * params.top_k + rank;
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
    let weight = vec4<f32>(weights[pair]);
    low = reduce4(low, lane);
    high = reduce4(high, lane);
#if ${biased}
    if (slot != ABSENT) {
      low += record_values(slot, params.slot_vec4, params.down_bias, low_rows);
      high += record_values(slot, params.slot_vec4, params.down_bias, high_rows);
    }
#endif
    low_sum = fma(weight, low, low_sum);
    high_sum = fma(weight, high, high_sum);
  }
  for (var row = lane; row < min(ROWS, hidden - first); row += WG) {
    let sum = select(low_sum[row % 4u], high_sum[row % 4u], row >= 4u);
    y[token * hidden + first + row] = scalar(sum);
  }
}
