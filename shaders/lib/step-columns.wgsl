// step columns: the columns of a unit of 32 weights whose codes are bytes of words, shared by lib/step-codes.wgsl and
// lib/step-nested.wgsl. Bytes are masked in place: at bit p the code is 2^p times too large, which the prepared columns
// compensate.
const STEP = 1u;

struct XStep {
  c0: XQuad, // columns 0 to 3
  c1: XQuad,
  c2: XQuad,
  c3: XQuad,
  c4: XQuad,
  c5: XQuad,
  c6: XQuad,
  c7: XQuad,
  low: XValue, // sum of columns 0 to 15
  high: XValue,
}

fn for_bytes(c: XQuad) -> XQuad {
  return XQuad(c[0], c[1] * 0x1p-8f, c[2] * 0x1p-16f, c[3]);
}

fn quad_sum(c: XQuad) -> XValue {
  return (c[0] + c[1]) + (c[2] + c[3]);
}

fn step_inputs(unit: u32) -> XStep {
  let quad = 8u * unit;
  let a = x_columns(quad);
  let b = x_columns(quad + 1u);
  let c = x_columns(quad + 2u);
  let d = x_columns(quad + 3u);
  let e = x_columns(quad + 4u);
  let f = x_columns(quad + 5u);
  let g = x_columns(quad + 6u);
  let h = x_columns(quad + 7u);
  return XStep(
    for_bytes(a),
    for_bytes(b),
    for_bytes(c),
    for_bytes(d),
    for_bytes(e),
    for_bytes(f),
    for_bytes(g),
    for_bytes(h),
    (quad_sum(a) + quad_sum(b)) + (quad_sum(c) + quad_sum(d)),
    (quad_sum(e) + quad_sum(f)) + (quad_sum(g) + quad_sum(h)),
  );
}

fn code_value(word: u32, mask: u32) -> f32 {
  return f32(bitcast<i32>(word & mask));
}

fn word_dot(start: XValue, word: u32, columns: XQuad) -> XValue {
  let sum0 = start + columns[0] * code_value(word, 0x000000ffu);
  let sum1 = sum0 + columns[1] * code_value(word, 0x0000ff00u);
  let sum2 = sum1 + columns[2] * code_value(word, 0x00ff0000u);
  return sum2 + columns[3] * f32(bitcast<i32>(word >> 24u));
}
