// step of ternary blocks: as lib/step-f32.wgsl, for lib/weights-codes.wgsl with lib/codes-2.wgsl. No column is
// multiplied, as in lib/dot-ternary.wgsl.
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
  sum: XValue, // of all 32
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
  let low = (quad_sum(a) + quad_sum(b)) + (quad_sum(c) + quad_sum(d));
  let high = (quad_sum(e) + quad_sum(f)) + (quad_sum(g) + quad_sum(h));
  return XStep(a, b, c, d, e, f, g, h, low + high);
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
  return (sum_of_chosen(own, in) + (twice + twice) - in.sum) * side.scales.x;
}
