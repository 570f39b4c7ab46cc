// step of coded blocks: as lib/step-f32.wgsl, for lib/weights-codes.wgsl.
//
// parts  lib/step-columns.wgsl, lib/step-masked.wgsl
fn step_dot(at: u32, in: XStep, side: Side) -> XValue {
  let codes = unit_codes(load_w(at), side);
  let low0 = word_dot(XValue(), codes.low.x, in.c0);
  let low1 = word_dot(low0, codes.low.y, in.c1);
  let low2 = word_dot(low1, codes.low.z, in.c2);
  let low3 = word_dot(low2, codes.low.w, in.c3);
  let high0 = word_dot(XValue(), codes.high.x, in.c4);
  let high1 = word_dot(high0, codes.high.y, in.c5);
  let high2 = word_dot(high1, codes.high.z, in.c6);
  let high3 = word_dot(high2, codes.high.w, in.c7);
  let low = low3 * side.scales.x + in.low * side.offsets.x;
  return low + (high3 * side.scales.y + in.high * side.offsets.y);
}
