// half-software: `scale_value` of lib/half.wgsl for software adapters, which keep subnormal numbers and pay for each
// operation.
fn scale_value(word: u32) -> f32 {
  return unpack2x16float(word).x;
}
