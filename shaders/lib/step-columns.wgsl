// step columns: the columns of a unit of 32 weights for codes that are bytes or less of words, shared by
// lib/step-codes.wgsl, lib/step-nested.wgsl and lib/step-ternary.wgsl.
//
// needs  in_place(columns of a quad): what products or sums with the codes want of them
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
    in_place(a),
    in_place(b),
    in_place(c),
    in_place(d),
    in_place(e),
    in_place(f),
    in_place(g),
    in_place(h),
    (quad_sum(a) + quad_sum(b)) + (quad_sum(c) + quad_sum(d)),
    (quad_sum(e) + quad_sum(f)) + (quad_sum(g) + quad_sum(h)),
  );
}
