// route-order-id: all experts that are not masked, by ascending id.
fn precedes(value: f32, e: u32, other_value: f32, other: u32) -> bool {
  return is_live(value) && e < other;
}

fn order_entries(token: u32, lane: u32) -> u32 {
  return sort_row(lane, sort_limit(token));
}
