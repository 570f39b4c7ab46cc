// gate-groups-group: selection within the best groups of experts, for gate-group.wgsl. Ties go to the lower
// group.
//
// parts   fn group_worth(start, size) -> f32 (lib/select-*.wgsl); selection, CAPACITY, WG (gate-group.wgsl)
// needs   groups divides experts
var<workgroup> group_values: array<f32, CAPACITY>;

// Masks the experts of group g if it is not among the top_groups.
fn mask_group(g: u32, size: u32) {
  let value = group_values[g];
  var before = 0u;
  for (var other = 0u; other < params.groups; other += 1u) {
    let rival = group_values[other];
    before += select(0u, 1u, rival > value || (rival == value && other < g));
  }
  if (before < params.top_groups) {
    return;
  }
  for (var e = g * size; e < (g + 1u) * size; e += 1u) {
    selection[e] = MASKED;
  }
}

// All lanes call it.
fn restrict_to_groups(lane: u32) {
  let size = params.experts / params.groups;
  for (var g = lane; g < params.groups; g += WG) {
    group_values[g] = group_worth(g * size, size);
  }
  workgroupBarrier();
  for (var g = lane; g < params.groups; g += WG) {
    mask_group(g, size);
  }
  workgroupBarrier();
}

fn may_choose(e: u32, value: f32) -> bool {
  return true;
}
