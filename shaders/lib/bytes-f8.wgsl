// bytes (f8): 8-bit floats of one sign bit, four exponent bits (bias 7) and three mantissa bits. Subnormal ones, below
// 2^-6, are multiples of 2^-9; as f32 they are normal, so that no device takes them for 0.
fn byte_values(words: vec4<u32>) -> vec4<f32> {
  let magnitude = words & vec4<u32>(0x7fu);
  let normal = bitcast<vec4<f32>>((magnitude << vec4<u32>(20u)) + vec4<u32>(120u << 23u));
  let small = vec4<f32>(magnitude) * 0x1p-9f;
  let positive = select(normal, small, magnitude < vec4<u32>(8u));
  let sign = (words & vec4<u32>(0x80u)) << vec4<u32>(24u);
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(positive) | sign);
}
