// dot bf16: as lib/dot-f32.wgsl. Inputs of even and odd columns are separate, like the halves of the words.
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
  let low = bitcast<vec4<f32>>(words << vec4<u32>(16u));
  let high = bitcast<vec4<f32>>(words & vec4<u32>(0xffff0000u));
  return dot(low, inputs.even) + dot(high, inputs.odd);
}
