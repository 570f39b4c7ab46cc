// gate-groups-lane: selection within the best groups of experts, for gate-lane.wgsl. Ties go to the lower
// group.
//
// parts   fn group_worth(start, size) -> f32 (lib/select-*.wgsl); Place, fn is_after (gate-lane.wgsl)
// needs   groups divides experts; may_choose is called for all experts in ascending order
var<private> group_size: u32;
var<private> group_limit: Place; // just after the last selected group: groups at or after it are masked
var<private> is_group_kept: bool; // of the expert of the last call

fn restrict_to_groups(lane: u32) {
  group_size = params.experts / params.groups;
  group_limit = Place(3.0e38, 0u);
  for (var kept = 0u; kept < params.top_groups; kept += 1u) {
    var best = Place(MASKED, params.groups);
    for (var g = 0u; g < params.groups; g += 1u) {
      let value = group_worth(g * group_size, group_size);
      if (is_after(value, g, group_limit) && (value > best.value || best.index == params.groups)) {
        best = Place(value, g);
      }
    }
    group_limit = Place(best.value, best.index + 1u);
  }
}

fn may_choose(e: u32, value: f32) -> bool {
  if (e % group_size == 0u) {
    is_group_kept = !is_after(group_worth(e, group_size), e / group_size, group_limit);
  }
  return is_group_kept;
}
