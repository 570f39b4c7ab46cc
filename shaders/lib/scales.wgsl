// scales: the scale of a unit of a quantised matrix, 1 for formats without scales.
// Written for one binding: ${matrix} is the name of its array<vec4<u32>>.
// parts  lib/half.wgsl, or a part of the format, for scale_value()
// needs  unit_scale_index() (lib/weights-*.wgsl); `first_word`: where the scales begin, in u32 words of the binding
#if ${scaled}
fn unit_scale(row: u32, unit: u32, cols: u32, first_word: u32) -> f32 {
  let index = unit_scale_index(row, unit, cols);
  let word = first_word + index / 2u;
  return scale_value(${matrix}[word / 4u][word % 4u] >> (16u * (index & 1u)));
}
#else
fn unit_scale(row: u32, unit: u32, cols: u32, first_word: u32) -> f32 {
  return 1.0;
}
#endif
