/** Q8_0: see src/weights/formats/q8_0.ts. */
import { loadHalf, loadHalves } from './half';
import { bothSums, prepareLanes, secondSum, storeLanes, X_BLOCK } from './lanes';
import { held, madd, splat0, splat1, splat2, splat3 } from './vector';

/** Byte i of lane l of each half is weight 16 half + 4 l + i, taken as unsigned, with a zero point of 128. */
export function prepare(x: usize, to: usize, cols: u32): void {
  const factors = f32x4(1, 1.0 / 256, 1.0 / 65536, 1);
  prepareLanes(x, to, cols, -128, 16, 64, factors, factors);
}

/** As dot of q4_0.ts. */
export function dot(x: usize, w: usize, s: usize, blocks: u32): v128 {
  const m0 = held(0xff, blocks);
  const m1 = i32x4.shl(m0, 8);
  const m2 = i32x4.shl(m0, 16);
  const signs = held(0x80808080, blocks);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = w + 32 * (blocks & ~3); w < end; w += 128, s += 8, x += 4 * X_BLOCK) {
    const scales = loadHalves(s);
    a0 = madd(blockDot(x, w, signs, m0, m1, m2), splat0(scales), a0);
    a1 = madd(blockDot(x + X_BLOCK, w + 32, signs, m0, m1, m2), splat1(scales), a1);
    a2 = madd(blockDot(x + 2 * X_BLOCK, w + 64, signs, m0, m1, m2), splat2(scales), a2);
    a3 = madd(blockDot(x + 3 * X_BLOCK, w + 96, signs, m0, m1, m2), splat3(scales), a3);
  }
  for (const end = w + 32 * (blocks & 3); w < end; w += 32, s += 2, x += X_BLOCK) {
    a0 = madd(blockDot(x, w, signs, m0, m1, m2), f32x4.splat(loadHalf(s)), a0);
  }
  return f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
}

// @ts-ignore: decorator
@inline
function blockDot(x: usize, w: usize, signs: v128, m0: v128, m1: v128, m2: v128): v128 {
  const low = v128.xor(v128.load(w), signs);
  const high = v128.xor(v128.load(w, 16), signs);
  let sum = madd(f32x4.convert_i32x4_s(v128.and(low, m0)), v128.load(x, 16), v128.load(x));
  sum = madd(f32x4.convert_i32x4_s(v128.and(low, m1)), v128.load(x, 32), sum);
  sum = madd(f32x4.convert_i32x4_s(v128.and(low, m2)), v128.load(x, 48), sum);
  sum = madd(f32x4.convert_i32x4_s(i32x4.shr_u(low, 24)), v128.load(x, 64), sum);
  let rest = secondSum(f32x4.convert_i32x4_s(v128.and(high, m0)), v128.load(x, 80), sum);
  rest = madd(f32x4.convert_i32x4_s(v128.and(high, m1)), v128.load(x, 96), rest);
  rest = madd(f32x4.convert_i32x4_s(v128.and(high, m2)), v128.load(x, 112), rest);
  rest = madd(f32x4.convert_i32x4_s(i32x4.shr_u(high, 24)), v128.load(x, 128), rest);
  return bothSums(sum, rest);
}

/** `cols` weights of a row as f32. */
export function unpack(w: usize, s: usize, to: usize, cols: u32): void {
  for (let end = w + cols; w < end; s += 2) {
    const scale = f32x4.splat(loadHalf(s));
    for (let next = w + 32; w < next; w += 8, to += 32) {
      const words = v128.load_ext<i8>(w);
      v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(words)), scale));
      v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(words)), scale), 16);
    }
  }
}

/** As sumBlock of q4_0.ts. */
export function sumBlock(list: usize, end: usize, block: usize, y: usize): void {
  sumHalf(list, end, block, 0, y);
  sumHalf(list, end, block, 16, y + 64);
}

function sumHalf(list: usize, end: usize, block: usize, half: usize, y: usize): void {
  const m0 = held(0xff, <u32>block);
  const m1 = i32x4.shl(m0, 8);
  const m2 = i32x4.shl(m0, 16);
  const signs = held(0x80808080, <u32>block);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let zero: f32 = 0;
  for (; list < end; list += 12) {
    const scaled = load<f32>(list, 8) * loadHalf(load<usize>(list, 4) + 2 * block);
    const factor = f32x4.splat(scaled);
    const bytes = v128.xor(v128.load(load<usize>(list) + 32 * block + half), signs);
    a0 = madd(f32x4.convert_i32x4_s(v128.and(bytes, m0)), factor, a0);
    a1 = madd(f32x4.convert_i32x4_s(v128.and(bytes, m1)), factor, a1);
    a2 = madd(f32x4.convert_i32x4_s(v128.and(bytes, m2)), factor, a2);
    a3 = madd(f32x4.convert_i32x4_s(i32x4.shr_u(bytes, 24)), factor, a3);
    zero += scaled;
  }
  const offset = f32x4.splat(-128 * zero);
  const f1 = f32x4.splat(1.0 / 256);
  const f2 = f32x4.splat(1.0 / 65536);
  storeLanes(y, f32x4.add(a0, offset), madd(a1, f1, offset), madd(a2, f2, offset), f32x4.add(a3, offset));
}
