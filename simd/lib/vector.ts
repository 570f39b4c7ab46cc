/** Operations on quads: four f32 in the lanes of a v128. */

/** a * b + c: rounded once in the relaxed build where the processor can, twice in the plain one. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/**
 * A constant that stays in a register. The optimizer puts plain constants back where they are used, and engines make them
 * anew there, in every turn of a loop.
 *
 * @param count - any number below 2^31 that the optimizer does not know
 */
// @ts-ignore: decorator
@inline
export function held(bits: u32, count: u32): v128 {
  return i32x4.splat(bits + (count >>> 31));
}

/** a0, b0, a1, b1 */
// @ts-ignore: decorator
@inline
export function zipLow(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 0, 4, 1, 5);
}

/** a2, b2, a3, b3 */
// @ts-ignore: decorator
@inline
export function zipHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 2, 6, 3, 7);
}

/** a0, a1, b0, b1 */
// @ts-ignore: decorator
@inline
export function joinLow(a: v128, b: v128): v128 {
  return v128.shuffle<u64>(a, b, 0, 2);
}

/** a2, a3, b2, b3 */
// @ts-ignore: decorator
@inline
export function joinHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u64>(a, b, 1, 3);
}

/** Lane 0 in all four. */
// @ts-ignore: decorator
@inline
export function splat0(a: v128): v128 {
  return v128.shuffle<u32>(a, a, 0, 0, 0, 0);
}

// @ts-ignore: decorator
@inline
export function splat1(a: v128): v128 {
  return v128.shuffle<u32>(a, a, 1, 1, 1, 1);
}

// @ts-ignore: decorator
@inline
export function splat2(a: v128): v128 {
  return v128.shuffle<u32>(a, a, 2, 2, 2, 2);
}

// @ts-ignore: decorator
@inline
export function splat3(a: v128): v128 {
  return v128.shuffle<u32>(a, a, 3, 3, 3, 3);
}

/** The sums of the lanes of a, b, c and d, each (0 + 2) + (1 + 3), as the lanes of one quad. */
// @ts-ignore: decorator
@inline
export function sumLanes(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(zipLow(a, b), zipHigh(a, b));
  const cd = f32x4.add(zipLow(c, d), zipHigh(c, d));
  return f32x4.add(joinLow(ab, cd), joinHigh(ab, cd));
}

/** The sum of four lanes: (0 + 2) + (1 + 3). */
// @ts-ignore: decorator
@inline
export function sumLane(a: v128): f32 {
  const pairs = f32x4.add(a, joinHigh(a, a));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The first `count` lanes from memory, 4 at most; zeros in the others. */
// @ts-ignore: decorator
@inline
export function loadQuad(at: usize, count: u32): v128 {
  return count >= 4 ? v128.load(at) : loadPart(at, count);
}

function loadPart(at: usize, count: u32): v128 {
  let quad = v128.load32_zero(at);
  if (count > 1) quad = v128.load_lane<f32>(at, quad, 1, 4);
  if (count > 2) quad = v128.load_lane<f32>(at, quad, 2, 8);
  return quad;
}

/** Stores the first `count` lanes, 4 at most. */
// @ts-ignore: decorator
@inline
export function storeQuad(at: usize, quad: v128, count: u32): void {
  if (count >= 4) v128.store(at, quad);
  else storePart(at, quad, count);
}

function storePart(at: usize, quad: v128, count: u32): void {
  v128.store_lane<f32>(at, quad, 0);
  if (count > 1) v128.store_lane<f32>(at, quad, 1, 4);
  if (count > 2) v128.store_lane<f32>(at, quad, 2, 8);
}
