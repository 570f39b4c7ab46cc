// route-groups-worth: the value of a group is that of its members.
//
// parts   fn group_worth(start, size) -> f32 (lib/select-max.wgsl, lib/select-two-best.wgsl); var group_values
fn write_group_values(token: u32, lane: u32) {
  let size = params.experts / params.groups;
  for (var g = lane; g < params.groups; g += STRIDE) {
    group_values[g] = group_worth(g * size, size);
  }
}
