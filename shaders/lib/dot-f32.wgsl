// dot f32: one unit of weights (lib/weights-f32.wgsl) against the inputs that it meets, in registers and without
// arrays.
//
// unit_inputs(at)           the inputs of a unit, from vec4 number `at` on, prepared once and used for many rows
// unit_dot(words, inputs)   their product, still to be multiplied by the unit's scale where the format is SCALED
// All formats share these two. The kernel gives fn input4(at: u32) -> vec4<f32>.
struct UnitInputs {
  a: vec4<f32>,
}

fn unit_inputs(at: u32) -> UnitInputs {
  return UnitInputs(input4(at));
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs) -> f32 {
  return dot(bitcast<vec4<f32>>(words), inputs.a);
}
