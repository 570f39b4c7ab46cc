// half-software: `scale_value` of lib/half.wgsl for software adapters, which preserve subnormal numbers and where each
// operation costs time.
fn scale_value(word: u32) -> f32 {
  return unpack2x16float(word).x;
}
