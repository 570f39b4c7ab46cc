// route-scores: the steps of a routing rule alone, for kernels of whole sequences: scores to logits and affinities
//
// scores  [tokens, scored] f32; infinite ones are masked. A token with a NaN among its scores gets NaN
// grid    one workgroup per token, or one lane (folded)
// parts   lib/route-shared.wgsl, lib/route-rows-*.wgsl, the steps (lib/route-step-*.wgsl), and their wiring:
//         bindings, constants, fn transform, fn write_rows
// needs   1 <= scored <= CAPACITY
@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let token = token_of(linear_group(group, groups), index);
  if (token >= params.tokens) {
    return;
  }
  let lane = first_of(index);
  begin(lane);
  read_row(token, lane);
  transform(token, lane);
  write_rows(token, lane);
}
