// k-scales: the scale and minimum of a unit of Q4_K and Q5_K, 6 bits each: w = d * scale * code - dmin * minimum.
// `words` are f16 d and dmin, then 12 bytes (src/weights/k-scales.ts); `unit` is in 0..7.
// parts  scale_value (lib/half.wgsl), Side (lib/weights-codes.wgsl)
fn k_side(words: vec4<u32>, unit: u32, high: u32) -> Side {
  let bytes = words >> vec4<u32>(8u * (unit % 4u));
  let own = bytes.yz & vec2<u32>(63u); // of units 0 to 3
  let nibbles = (bytes.ww >> vec2<u32>(0u, 4u)) & vec2<u32>(15u);
  let joined = nibbles | ((bytes.yz >> vec2<u32>(2u)) & vec2<u32>(0x30u)); // of units 4 to 7
  let factors = vec2<f32>(select(joined, own, unit < 4u));
  let both = words.x;
  let scale = scale_value(both) * factors.x;
  let offset = -scale_value(both >> 16u) * factors.y;
  return Side(vec2<f32>(scale), vec2<f32>(offset), vec2<u32>(high, 0u));
}
