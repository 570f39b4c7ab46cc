// step of nested bit planes: as lib/step-f32.wgsl, for lib/weights-nested.wgsl.
//
// parts  lib/step-columns.wgsl, lib/step-masked.wgsl
fn codes_dot(low: vec4<u32>, high: vec4<u32>, in: XStep) -> XValue {
  let low0 = word_dot(XValue(), low.x, in.c0);
  let low1 = word_dot(low0, low.y, in.c1);
  let low2 = word_dot(low1, low.z, in.c2);
  let low3 = word_dot(low2, low.w, in.c3);
  let high0 = word_dot(XValue(), high.x, in.c4);
  let high1 = word_dot(high0, high.y, in.c5);
  let high2 = word_dot(high1, high.z, in.c6);
  return low3 + word_dot(high2, high.w, in.c7);
}

fn plane_step(word: u32, in: XStep) -> XValue {
  return codes_dot(sign_bits(word), sign_bits(word >> 4u), in);
}

fn step_dot(at: u32, in: XStep, side: Side) -> XValue {
  let own = own_half(load_w(at), side);
  let base = codes_dot(base_codes(own.x), base_codes(own.y), in);
  var sum = base * side.factors.x + (in.low + in.high) * side.offset;
  if (PLANES > 0u) {
    sum += plane_step(side.bits.x, in) * side.factors.y;
  }
  if (PLANES > 1u) {
    sum += plane_step(side.bits.y, in) * side.factors.z;
  }
  return sum;
}
