// step bf16: as lib/step-f32.wgsl. The multiplication is a shift in a form that software adapters vectorise.
const STEP = 2u;

struct XStep {
  c0: XQuad,
  c1: XQuad,
  c2: XQuad,
  c3: XQuad,
}

fn step_inputs(unit: u32) -> XStep {
  let quad = 2u * unit;
  return XStep(x_columns(quad), x_columns(quad + 1u), x_columns(quad + 2u), x_columns(quad + 3u));
}

fn pair_dot(start: XValue, word: u32, a: XValue, b: XValue) -> XValue {
  let sum = start + a * bitcast<f32>(word * 65536u);
  return sum + b * bitcast<f32>(word & 0xffff0000u);
}

fn unit_dot(start: XValue, words: vec4<u32>, low: XQuad, high: XQuad) -> XValue {
  let sum0 = pair_dot(start, words.x, low[0], low[1]);
  let sum1 = pair_dot(sum0, words.y, low[2], low[3]);
  let sum2 = pair_dot(sum1, words.z, high[0], high[1]);
  return pair_dot(sum2, words.w, high[2], high[3]);
}

fn step_dot(at: u32, in: XStep) -> XValue {
  let sum = unit_dot(XValue(), load_w(at), in.c0, in.c1);
  return unit_dot(sum, load_w(at + 1u), in.c2, in.c3);
}
