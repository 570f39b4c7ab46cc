// route-order-value: experts by descending selection value; ties go to the lower id.
fn precedes(value: f32, e: u32, other_value: f32, other: u32) -> bool {
  return value > other_value || (value == other_value && e < other);
}

fn order_entries(token: u32, lane: u32) -> u32 {
  return sort_row(lane, sort_limit(token));
}
