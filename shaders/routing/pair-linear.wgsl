// pair-linear: y[t, r, o] = bias[e, o] + scales[e] * sum over c of weight[e, o, c] * x[t, r, c], e the expert in place
// r of token t; 0 where there is none
//
// x [tokens, x_places, cols], ids [tokens, places] u32, weight [experts, outs, cols], scales [experts], bias
// [experts, outs], y [tokens, places, outs]; f32. x_places 1: all places of a token read its row. Without ids: first
// expert. Weights without scales are floats, those with scales ternary codes.
// grid    one workgroup per place and ROWS outputs (folded); the LANES of an output take columns l, l + LANES, ..., or
//         words of 16 codes
// parts   the bindings, fn expert_at(place), fn bias_at(at), fn scaled(e, sum), written by the record;
//         fn columns_sum(matrix_row, x_row, first) (lib/pair-*.wgsl); fn linear_group (lib/grid.wgsl)
const ROWS = 4u;
const LANES = 16u;

struct Params {
  tokens: u32,
  places: u32,
  x_places: u32,
  experts: u32,
  outs: u32,
  cols: u32,
}

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = linear_group(group, groups);
  let strips = (params.outs + ROWS - 1u) / ROWS;
  let place = number / strips;
  let out = number % strips * ROWS + lane / LANES;
  let is_inside = place < params.tokens * params.places && out < params.outs;
  var e = params.experts;
  if (is_inside) {
    e = expert_at(place);
  }
  var sum = 0.0;
  if (e < params.experts) {
    let row = select(place, place / params.places, params.x_places == 1u) * params.cols;
    sum = columns_sum(e * params.outs + out, row, lane % LANES);
  }
  sums[lane] = sum;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane % LANES < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (is_inside && lane % LANES == 0u) {
    let value = scaled(e, sums[lane]) + bias_at(e * params.outs + out);
    y[place * params.outs + out] = select(0.0, value, e < params.experts);
  }
}
