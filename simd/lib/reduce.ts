/** Reductions over rows of any length. */
import { exp4 } from './exp';
import { loadQuad, storeQuad, sumLane } from './vector';

/** The largest of `count` numbers, in all lanes. */
export function largest4(x: usize, count: u32): v128 {
  let most = v128.load_splat<f32>(x);
  const whole = count & ~3;
  for (let i: u32 = 0; i < whole; i += 4) most = f32x4.max(most, v128.load(x + 4 * i));
  for (let i = whole; i < count; i++) most = f32x4.max(most, v128.load_splat<f32>(x + 4 * i));
  most = f32x4.max(most, v128.shuffle<u32>(most, most, 2, 3, 0, 1));
  return f32x4.max(most, v128.shuffle<u32>(most, most, 1, 0, 3, 2));
}

/** y = e^(x - most) */
export function exponentials(x: usize, y: usize, count: u32, most: v128): void {
  for (let i: u32 = 0; i < count; i += 4) {
    const left = count - i;
    storeQuad(y + 4 * i, exp4(f32x4.sub(loadQuad(x + 4 * i, left), most)), left);
  }
}

export function sum(x: usize, count: u32): f32 {
  let total = f32x4.splat(0);
  for (let i: u32 = 0; i < count; i += 4) total = f32x4.add(total, loadQuad(x + 4 * i, count - i));
  return sumLane(total);
}

/** x *= factor */
export function scale(x: usize, factor: f32, count: u32): void {
  const factors = f32x4.splat(factor);
  for (let i: u32 = 0; i < count; i += 4) {
    storeQuad(x + 4 * i, f32x4.mul(loadQuad(x + 4 * i, count - i), factors), count - i);
  }
}
