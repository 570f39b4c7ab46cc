// scales: the scale of a unit of a quantised matrix, 1 for formats without scales.
// Rendered for one binding: ${matrix} is the name of its array<vec4<u32>>.
// parts  lib/half.wgsl
// needs  unit_scale_index() (lib/weights-*.wgsl), or alias Side and read_side() for sided formats (see
//        lib/expert-matrix.wgsl); `first_word`: offset of the second plane in the binding, in u32 words
#if ${sided}
struct SideAt {
  first_word: u32,
}

fn side_word(at: SideAt, word: u32) -> u32 {
  let number = at.first_word + word;
  return ${matrix}[number / 4u][number % 4u];
}

fn side_vec4(at: SideAt, index: u32) -> vec4<u32> {
  return ${matrix}[at.first_word / 4u + index];
}

fn unit_scale(row: u32, unit: u32, cols: u32, first_word: u32) -> Side {
  return read_side(SideAt(first_word), row, unit, cols);
}
#else
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
#endif
