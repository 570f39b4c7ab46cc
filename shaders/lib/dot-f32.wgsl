// dot f32: product of one unit of weights (lib/weights-f32.wgsl) with its inputs, in registers and without arrays.
//
// unit_inputs(at)           the inputs of a unit, from vec4 `at` on, prepared once for many rows
// unit_dot(words, inputs)   their product, to be multiplied by the unit's scale if the format is SCALED
// Common to all formats. The kernel defines fn input4(at: u32) -> vec4<f32>.
struct UnitInputs {
  a: vec4<f32>,
}

fn unit_inputs(at: u32) -> UnitInputs {
  return UnitInputs(input4(at));
}

fn unit_dot(words: vec4<u32>, inputs: UnitInputs) -> f32 {
  return dot(bitcast<vec4<f32>>(words), inputs.a);
}
