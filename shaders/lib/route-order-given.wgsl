// route-order-given: given experts in their order; ids from params.scored on are pads. A masked expert is a fault.
//
// parts   given_ids [tokens, given] u32
fn order_entries(token: u32, lane: u32) -> u32 {
  var count = 0u;
  if (lane == 0u) {
    for (var place = 0u; place < params.given; place += 1u) {
      let e = given_ids[token * params.given + place];
      if (e >= params.scored) {
        continue;
      }
      if (!is_live(row[e])) {
        report_fault();
      }
      slots[count] = entry_of(place, e);
      count += 1u;
    }
  }
  sync();
  return count;
}
