import { describe, expect, test } from 'vitest';
import { philox, uniform, type Four } from './random.ts';

const hex = (words: Four) => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');

describe('philox', () => {
  // Known answers of the authors' Random123 library, 4x32 with 10 rounds.
  test.each<[Four, [number, number], string]>([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      '408f276d 41c83b0e a20bc7c6 6d5451fd',
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    ],
  ])('%j under %j', (counter, key, want) => {
    expect(hex(philox(counter, key))).toBe(want);
  });
});

describe('uniform', () => {
  test('is a function of seed and step', () => {
    expect(uniform(1, 2)).toBe(uniform(1, 2));
    expect(new Set([uniform(1, 2), uniform(2, 1), uniform(1, 3), uniform(1 + 2 ** 32, 2)]).size).toBe(4);
  });

  test('takes its bits from the first two words', () => {
    expect(uniform(0, 0)).toBe((0x6627e8d5 >>> 5) / 2 ** 27 + (0xe169c58d >>> 6) / 2 ** 53);
  });

  test('fills [0, 1) evenly', () => {
    const draws = Array.from({ length: 10_000 }, (_, step) => uniform(1, step));
    const mean = draws.reduce((sum, draw) => sum + draw) / draws.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01); // 3.5 standard deviations
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const inside = draws.filter((draw) => Math.floor(10 * draw) === tenth).length;
      expect(Math.abs(inside - 1000)).toBeLessThan(105); // as many
    }
  });
});
