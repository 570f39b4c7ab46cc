// step f32: the product of STEP units of a row of weights with their columns of x, value by value.
//
// Long chains of scalar operations, not vectors or arrays: a compiler without an optimiser (software adapters) keeps
// these in registers. XValue is one column of x: a scalar, or a vector with one component per row of x that a lane
// computes.
//   XStep                 a step's columns, prepared once for many outputs
//   step_inputs(unit)     loads and prepares them
//   step_dot(at, in)      the product with the weights from vec4 `at` on, to be multiplied by the units' scale
// Common to all formats: these and STEP, which is 1 for formats with scales. The kernel defines alias XValue, XQuad, fn
// x_columns(quad: u32) -> XQuad (four columns, zero past the row) and fn load_w(at: u32) -> vec4<u32>.
const STEP = 4u;

struct XStep {
  c0: XQuad,
  c1: XQuad,
  c2: XQuad,
  c3: XQuad,
}

fn step_inputs(unit: u32) -> XStep {
  return XStep(x_columns(unit), x_columns(unit + 1u), x_columns(unit + 2u), x_columns(unit + 3u));
}

fn quad_dot(start: XValue, words: vec4<u32>, columns: XQuad) -> XValue {
  let sum0 = start + columns[0] * bitcast<f32>(words.x);
  let sum1 = sum0 + columns[1] * bitcast<f32>(words.y);
  let sum2 = sum1 + columns[2] * bitcast<f32>(words.z);
  return sum2 + columns[3] * bitcast<f32>(words.w);
}

fn step_dot(at: u32, in: XStep) -> XValue {
  let sum0 = quad_dot(XValue(), load_w(at), in.c0);
  let sum1 = quad_dot(sum0, load_w(at + 1u), in.c1);
  let sum2 = quad_dot(sum1, load_w(at + 2u), in.c2);
  return quad_dot(sum2, load_w(at + 3u), in.c3);
}
