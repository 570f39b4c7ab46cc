/**
 * Random numbers as a function of (seed, step): Philox 4x32 with ten rounds (Salmon and others, "Parallel random
 * numbers: as easy as 1, 2, 3", 2011). No state, integers only: the same on every platform, and a step that is rolled
 * back and done again draws the same number.
 */

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const KEY_STEPS = [0x9e3779b9, 0xbb67ae85] as const; // golden ratio and sqrt(3) - 1, as the paper has them
const ROUNDS = 10;

/** Four 32-bit words. */
export type Four = readonly [number, number, number, number];

/** Four random 32-bit words for a 128-bit counter and a 64-bit key, all given as 32-bit words. */
export function philox(counter: Four, key: readonly [number, number]): Four {
  let [a, b, c, d] = counter;
  let [k, l] = key;
  for (let round = 0; round < ROUNDS; round += 1) {
    const [highA, lowA] = multiply(MULTIPLIERS[0], a);
    const [highC, lowC] = multiply(MULTIPLIERS[1], c);
    [a, b, c, d] = [(highC ^ b ^ k) >>> 0, lowC, (highA ^ d ^ l) >>> 0, lowA];
    k = (k + KEY_STEPS[0]) >>> 0;
    l = (l + KEY_STEPS[1]) >>> 0;
  }
  return [a, b, c, d];
}

/** High and low word of a 32 by 32 bit product. */
function multiply(x: number, y: number): [high: number, low: number] {
  const xLow = x & 0xffff;
  const xHigh = x >>> 16;
  const yLow = y & 0xffff;
  const yHigh = y >>> 16;
  const low = xLow * yLow;
  const middle = xHigh * yLow + (low >>> 16); // below 2^33: exact
  const cross = xLow * yHigh + (middle % 0x10000); // below 2^33: exact
  const high = xHigh * yHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000);
  return [high >>> 0, Math.imul(x, y) >>> 0];
}

/** A number in [0, 1) with 53 random bits. `seed` and `step` are whole numbers from 0 to 2^53 - 1. */
export function uniform(seed: number, step: number): number {
  const [high, low] = philox([word(step, 0), word(step, 1), 0, 0], [word(seed, 0), word(seed, 1)]);
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
}

function word(value: number, index: 0 | 1): number {
  return index === 0 ? value % 2 ** 32 : Math.floor(value / 2 ** 32);
}
