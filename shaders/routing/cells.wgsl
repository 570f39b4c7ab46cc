// cells: y[t, i] = cell(t, i) for every token and column: small functions of layer descriptions, one of lib/cell-*.wgsl
//
// a, b, c, d f32, ids u32, y [tokens, cols] f32 or u32
// grid    one lane per element (folded)
// parts   the bindings of the cell, its parts, and fn put(at, value), all written by the record; fn linear_group
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
  put(at, cell(at / params.cols, at % params.cols));
}
