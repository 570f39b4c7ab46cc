// step of bytes in groups: as lib/step-f32.wgsl, for lib/weights-bytes.wgsl.
// parts  byte_values() (lib/bytes-*.wgsl)
const STEP = 1u;

struct XStep {
  c0: XQuad,
  c1: XQuad,
  c2: XQuad,
  c3: XQuad,
}

fn step_inputs(unit: u32) -> XStep {
  let quad = 4u * unit;
  return XStep(x_columns(quad), x_columns(quad + 1u), x_columns(quad + 2u), x_columns(quad + 3u));
}

fn quad_dot(start: XValue, columns: XQuad, a: f32, b: f32, c: f32, d: f32) -> XValue {
  let sum0 = start + columns[0] * a;
  let sum1 = sum0 + columns[1] * b;
  let sum2 = sum1 + columns[2] * c;
  return sum2 + columns[3] * d;
}

fn step_dot(at: u32, in: XStep, side: Side) -> XValue {
  let words = load_w(at);
  let a = byte_values(words);
  let b = byte_values(words >> vec4<u32>(8u));
  let c = byte_values(words >> vec4<u32>(16u));
  let d = byte_values(words >> vec4<u32>(24u));
  let sum0 = quad_dot(XValue(), in.c0, a.x, b.x, c.x, d.x);
  let sum1 = quad_dot(sum0, in.c1, a.y, b.y, c.y, d.y);
  let sum2 = quad_dot(sum1, in.c2, a.z, b.z, c.z, d.z);
  return quad_dot(sum2, in.c3, a.w, b.w, c.w, d.w) * side;
}
