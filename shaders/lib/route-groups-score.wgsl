// route-groups-score: the value of a group is its score.
//
// parts   group_scores [tokens, groups] f32; var group_values (lib/route-groups-group.wgsl, lib/route-groups-lane.wgsl)
fn write_group_values(token: u32, lane: u32) {
  for (var g = lane; g < params.groups; g += STRIDE) {
    group_values[g] = group_scores[token * params.groups + g];
  }
}
