// load (1): a unit of weights is one load of 16 bytes, as in most formats.
fn load_index(unit: u32) -> u32 {
  return unit;
}

fn load_indices(units: vec4<u32>) -> vec4<u32> {
  return units;
}
