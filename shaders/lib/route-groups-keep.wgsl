// route-groups-keep: masks the experts of all groups but the params.keep best. Ties go to the lower group.
//
// parts   fn write_group_values (lib/route-groups-*.wgsl)
fn restrict_to_groups(token: u32, lane: u32) {
  write_group_values(token, lane);
  sync();
  for (var g = lane; g < params.groups; g += STRIDE) {
    if (groups_before(g) >= params.keep) {
      mask_group(g);
    }
  }
  sync();
}

fn groups_before(g: u32) -> u32 {
  let value = group_values[g];
  var before = 0u;
  for (var other = 0u; other < params.groups; other += 1u) {
    let rival = group_values[other];
    before += select(0u, 1u, rival > value || (rival == value && other < g));
  }
  return before;
}

fn mask_group(g: u32) {
  let size = params.experts / params.groups;
  for (var e = g * size; e < (g + 1u) * size; e += 1u) {
    set_selection(e, MASKED);
  }
}
