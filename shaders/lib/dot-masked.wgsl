// dot masked: products of inputs with codes that are bytes of words. Bytes are masked in place: at bit p the code is
// 2^p times too large, and its inputs are divided by 2^p, which is exact; the highest byte is moved.
fn in_place(c: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(c[0], c[1] * 0x1p-8f, c[2] * 0x1p-16f, c[3]);
}

// code 2^p
fn whole_codes(words: vec4<u32>, mask: u32) -> vec4<f32> {
  return vec4<f32>(bitcast<vec4<i32>>(words & vec4<u32>(mask)));
}

fn half_dot(codes: vec4<u32>, inputs: HalfInputs) -> f32 {
  var sum = whole_codes(codes, 0x000000ffu) * inputs.at0;
  sum += whole_codes(codes, 0x0000ff00u) * inputs.at8;
  sum += whole_codes(codes, 0x00ff0000u) * inputs.at16;
  sum += whole_codes(codes >> vec4<u32>(24u), 0x000000ffu) * inputs.at24;
  return (sum.x + sum.y) + (sum.z + sum.w);
}
