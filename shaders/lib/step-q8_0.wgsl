// step q8_0: as lib/step-f32.wgsl. A byte is moved to the top of its word, by a multiplication that software adapters
// vectorise: there it is 2^24 times too large, which the prepared columns compensate.
const STEP = 1u;

struct XStep {
  c0: XQuad,
  c1: XQuad,
  c2: XQuad,
  c3: XQuad,
}

fn from_top(c: XQuad) -> XQuad {
  return XQuad(c[0] * 0x1p-24f, c[1] * 0x1p-24f, c[2] * 0x1p-24f, c[3] * 0x1p-24f);
}

fn step_inputs(unit: u32) -> XStep {
  let quad = 4u * unit;
  return XStep(
    from_top(x_columns(quad)),
    from_top(x_columns(quad + 1u)),
    from_top(x_columns(quad + 2u)),
    from_top(x_columns(quad + 3u)),
  );
}

fn top_byte(word: u32) -> f32 {
  return f32(bitcast<i32>(word & 0xff000000u));
}

fn word_dot(start: XValue, word: u32, columns: XQuad) -> XValue {
  let sum0 = start + columns[3] * top_byte(word);
  let sum1 = sum0 + columns[2] * top_byte(word * 0x100u);
  let sum2 = sum1 + columns[1] * top_byte(word * 0x10000u);
  return sum2 + columns[0] * f32(bitcast<i32>(word * 0x1000000u));
}

fn step_dot(at: u32, in: XStep) -> XValue {
  let words = load_w(at);
  let sum0 = word_dot(XValue(), words.x, in.c0);
  let sum1 = word_dot(sum0, words.y, in.c1);
  let sum2 = word_dot(sum1, words.z, in.c2);
  return word_dot(sum2, words.w, in.c3);
}
