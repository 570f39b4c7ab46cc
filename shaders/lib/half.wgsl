// half: f16 scales as f32, including subnormal ones, which `unpack2x16float` may flush to zero. They are common: a
// block of q8_0 whose weights stay below 0.0077 has a scale below 2^-14.
const LEAST_NORMAL = 0x400u;

// The f16 in the lower half of a word.
fn scale_value(word: u32) -> f32 {
  let magnitude = word & 0x7fffu;
  let subnormal = f32(magnitude) * 0x1p-24f;
  let small = select(subnormal, -subnormal, (word & 0x8000u) != 0u);
  return select(unpack2x16float(word).x, small, magnitude < LEAST_NORMAL);
}
