// dot halves: the inputs of a unit of 32 weights for codes that are bytes or less of words, shared by
// lib/dot-codes.wgsl, lib/dot-nested.wgsl and lib/dot-ternary.wgsl.
//
// needs  in_place(columns of a byte each): what products or sums with the codes want of them
struct HalfInputs {
  at0: vec4<f32>, // inputs of the lowest bytes of the four words: columns 0, 4, 8, 12
  at8: vec4<f32>, // columns 1, 5, 9, 13
  at16: vec4<f32>,
  at24: vec4<f32>,
  sum: f32, // of all 16
}

struct UnitInputs {
  low: HalfInputs, // columns 0 to 15
  high: HalfInputs,
}

fn half_inputs(at: u32) -> HalfInputs {
  let columns = transpose(mat4x4<f32>(input4(at), input4(at + 1u), input4(at + 2u), input4(at + 3u)));
  let sums = (columns[0] + columns[1]) + (columns[2] + columns[3]);
  let sum = (sums.x + sums.y) + (sums.z + sums.w);
  let ready = in_place(columns);
  return HalfInputs(ready[0], ready[1], ready[2], ready[3], sum);
}

fn unit_inputs(at: u32) -> UnitInputs {
  return UnitInputs(half_inputs(at), half_inputs(at + 4u));
}
