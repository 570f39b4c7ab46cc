// weights of bytes in groups: UNIT = 16 weights, a byte each, in one vec4<u32>; 128 columns of a row share an f32
// scale: w = scale * value (src/weights/byte-groups.ts).
//
// parts  fn byte_values(words: vec4<u32>) -> vec4<f32>: the values of the lowest bytes (lib/bytes-*.wgsl)
// Functions as in lib/weights-f32.wgsl.
const UNIT = 16u;
const UNIT_VEC4 = 4u;

alias Side = f32;

fn read_side(at: SideAt, row: u32, unit: u32, cols: u32) -> Side {
  let groups = (cols + 127u) / 128u;
  return bitcast<f32>(side_word(at, row * groups + unit / 8u));
}

fn unpack_unit(words: vec4<u32>, side: Side) -> array<vec4<f32>, UNIT_VEC4> {
  let columns = side * transpose(mat4x4<f32>(
    byte_values(words),
    byte_values(words >> vec4<u32>(8u)),
    byte_values(words >> vec4<u32>(16u)),
    byte_values(words >> vec4<u32>(24u)),
  ));
  return array<vec4<f32>, UNIT_VEC4>(columns[0], columns[1], columns[2], columns[3]);
}
