// step of ternary blocks: as lib/step-f32.wgsl, for lib/weights-codes.wgsl with lib/codes-2.wgsl. No column is
// multiplied, as in lib/dot-ternary.wgsl.
//
// parts  lib/step-columns.wgsl
fn in_place(c: XQuad) -> XQuad {
  return c;
}

// Column b of a quad has bit 8 b of its bits.
fn add_chosen(start: XValue, bits: u32, columns: XQuad) -> XValue {
  var sum = start; // values may be matrices, between which nothing selects
  if ((bits & 0x00000001u) != 0u) { sum += columns[0]; }
  if ((bits & 0x00000100u) != 0u) { sum += columns[1]; }
  if ((bits & 0x00010000u) != 0u) { sum += columns[2]; }
  if ((bits & 0x01000000u) != 0u) { sum += columns[3]; }
  return sum;
}

fn sum_of_chosen(word: vec2<u32>, in: XStep) -> XValue {
  let low0 = add_chosen(XValue(), word.x, in.c0);
  let low1 = add_chosen(low0, word.x >> 2u, in.c1);
  let low2 = add_chosen(low1, word.x >> 4u, in.c2);
  let low3 = add_chosen(low2, word.x >> 6u, in.c3);
  let high0 = add_chosen(XValue(), word.y, in.c4);
  let high1 = add_chosen(high0, word.y >> 2u, in.c5);
  let high2 = add_chosen(high1, word.y >> 4u, in.c6);
  return low3 + add_chosen(high2, word.y >> 6u, in.c7);
}

fn step_dot(at: u32, in: XStep, side: Side) -> XValue {
  let words = load_w(at);
  let own = select(words.xy, words.zw, side.high.y == 1u);
  let twice = sum_of_chosen(own >> vec2<u32>(1u), in);
  return (sum_of_chosen(own, in) + (twice + twice) - (in.low + in.high)) * side.scales.x;
}
