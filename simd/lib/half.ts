import { joinHigh, joinLow, zipHigh, zipLow } from './vector';

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

/** The scales of `blocks` blocks of four rows as f32, those of one block side by side: [blocks, 4]. */
export function decodeScales(s0: usize, s1: usize, s2: usize, s3: usize, to: usize, blocks: u32): void {
  const whole = blocks & ~3;
  for (let b: u32 = 0; b < whole; b += 4) {
    const row0 = loadHalves(s0 + 2 * b);
    const row1 = loadHalves(s1 + 2 * b);
    const row2 = loadHalves(s2 + 2 * b);
    const row3 = loadHalves(s3 + 2 * b);
    const low01 = zipLow(row0, row1);
    const low23 = zipLow(row2, row3);
    const high01 = zipHigh(row0, row1);
    const high23 = zipHigh(row2, row3);
    const at = to + 16 * b;
    v128.store(at, joinLow(low01, low23));
    v128.store(at, joinHigh(low01, low23), 16);
    v128.store(at, joinLow(high01, high23), 32);
    v128.store(at, joinHigh(high01, high23), 48);
  }
  for (let b = whole; b < blocks; b++) {
    const at = to + 16 * b;
    store<f32>(at, loadHalf(s0 + 2 * b));
    store<f32>(at, loadHalf(s1 + 2 * b), 4);
    store<f32>(at, loadHalf(s2 + 2 * b), 8);
    store<f32>(at, loadHalf(s3 + 2 * b), 12);
  }
}
