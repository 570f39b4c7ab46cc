// step masked: products of columns with codes that are bytes of words. Bytes are masked in place: at bit p the code is
// 2^p times too large, which the prepared columns compensate.
fn in_place(c: XQuad) -> XQuad {
  return XQuad(c[0], c[1] * 0x1p-8f, c[2] * 0x1p-16f, c[3]);
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
