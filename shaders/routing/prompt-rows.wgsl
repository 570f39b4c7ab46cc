// prompt-rows: y[t, c] = column c of the first step's row for all tokens of this and of later steps
//
// x       [tokens, cols] f32, equal rows: what the first step is pooled to
// before  [cols] f32, as the step before left it
// after   [cols] f32, as the next step reads it; bound by steps that keep it
// y       [tokens, cols] f32
// grid    one lane per element of y (folded)
// parts   the bindings and `fn keep(column, value)`, written by the record; fn linear_group (lib/grid.wgsl)
override WG: u32;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_group(group, groups) * WG + lane;
  if (at >= params.tokens * params.cols) {
    return;
  }
  let column = at % params.cols;
  let value = select(before[column], x[at], params.past == 0u);
  y[at] = value;
  if (at < params.cols) {
    keep(column, value);
  }
}
