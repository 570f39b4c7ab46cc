// dot f16: as lib/dot-f32.wgsl. Inputs of even and odd columns are separate, like the halves of the words.
struct UnitInputs {
  even: vec4<f32>,
  odd: vec4<f32>,
}

fn unit_inputs(at: u32) -> UnitInputs {
  let first = input4(at);
  let second = input4(at + 1u);
  return UnitInputs(vec4<f32>(first.xz, second.xz), vec4<f32>(first.yw, second.yw));
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs) -> f32 {
  let a = unpack2x16float(words.x);
  let b = unpack2x16float(words.y);
  let c = unpack2x16float(words.z);
  let d = unpack2x16float(words.w);
  return dot(vec4<f32>(a.x, b.x, c.x, d.x), inputs.even) + dot(vec4<f32>(a.y, b.y, c.y, d.y), inputs.odd);
}
