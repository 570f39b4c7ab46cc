/** Multiplying by it moves the exponent of an f16, read as that of an f32, to its place: 2^(127 - 15). */
const EXPONENT_STEP: f32 = 5192296858534827628530496329220096.0;

/** Four f16 of memory as f32. Infinities and NaNs come out as 65536 and more. */
// @ts-ignore: decorator
@inline
export function loadHalves(at: usize): v128 {
  const bits = v128.and(i32x4.shl(v128.load_ext<i16>(at), 13), i32x4.splat(0x8fffffff));
  return f32x4.mul(bits, f32x4.splat(EXPONENT_STEP));
}

/** One f16 of memory as f32. */
// @ts-ignore: decorator
@inline
export function loadHalf(at: usize): f32 {
  return reinterpret<f32>(((<i32>load<i16>(at)) << 13) & 0x8fffffff) * EXPONENT_STEP;
}

/** The f16 in the upper half of each lane as f32. */
// @ts-ignore: decorator
@inline
export function highHalves(words: v128): v128 {
  const bits = v128.and(i32x4.shr_s(words, 3), i32x4.splat(0x8fffe000));
  return f32x4.mul(bits, f32x4.splat(EXPONENT_STEP));
}
