// step q4_0: as lib/step-f32.wgsl. Nibbles are masked in place: at bit p the value is 2^p times too large, which the
// prepared columns compensate. The top nibble, with its highest bit flipped, is q - 8 in two's complement; for the
// other 28 weights, 8 times the sum of their columns is subtracted once.
const STEP = 1u;

struct XStep {
  low0: XQuad, // word 0: columns 0 to 3, for the low nibbles of its bytes
  high0: XQuad, // columns 16 to 19, for the high nibbles
  low1: XQuad,
  high1: XQuad,
  low2: XQuad,
  high2: XQuad,
  low3: XQuad,
  high3: XQuad,
  offset: XValue,
}

fn for_low(c: XQuad) -> XQuad {
  return XQuad(c[0], c[1] * 0x1p-8f, c[2] * 0x1p-16f, c[3] * 0x1p-24f);
}

fn for_high(c: XQuad) -> XQuad {
  return XQuad(c[0] * 0x1p-4f, c[1] * 0x1p-12f, c[2] * 0x1p-20f, c[3] * 0x1p-28f);
}

fn eights(low: XQuad, high: XQuad) -> XValue {
  return ((low[0] + low[1]) + (low[2] + low[3]) + (high[0] + high[1]) + high[2]) * -8.0;
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
  let offset = (eights(a, e) + eights(b, f)) + (eights(c, g) + eights(d, h));
  return XStep(
    for_low(a),
    for_high(e),
    for_low(b),
    for_high(f),
    for_low(c),
    for_high(g),
    for_low(d),
    for_high(h),
    offset,
  );
}

fn nibble(word: u32, mask: u32) -> f32 {
  return f32(bitcast<i32>(word & mask));
}

fn word_dot(start: XValue, word: u32, low: XQuad, high: XQuad) -> XValue {
  let sum0 = start + low[0] * nibble(word, 0x0000000fu);
  let sum1 = sum0 + high[0] * nibble(word, 0x000000f0u);
  let sum2 = sum1 + low[1] * nibble(word, 0x00000f00u);
  let sum3 = sum2 + high[1] * nibble(word, 0x0000f000u);
  let sum4 = sum3 + low[2] * nibble(word, 0x000f0000u);
  let sum5 = sum4 + high[2] * nibble(word, 0x00f00000u);
  let sum6 = sum5 + low[3] * nibble(word, 0x0f000000u);
  return sum6 + high[3] * nibble(word ^ 0x80000000u, 0xf0000000u);
}

fn step_dot(at: u32, in: XStep) -> XValue {
  let words = load_w(at);
  let sum0 = word_dot(in.offset, words.x, in.low0, in.high0);
  let sum1 = word_dot(sum0, words.y, in.low1, in.high1);
  let sum2 = word_dot(sum1, words.z, in.low2, in.high2);
  return word_dot(sum2, words.w, in.low3, in.high3);
}
