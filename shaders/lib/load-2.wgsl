// load (2): two units of weights are one load of 16 bytes, from which the format takes its half. Rows have an even
// number of units.
fn load_index(unit: u32) -> u32 {
  return unit / 2u;
}

fn load_indices(units: vec4<u32>) -> vec4<u32> {
  return units / vec4<u32>(2u);
}
