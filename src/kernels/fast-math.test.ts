/**
 * WGSL permits compilers to reorder float arithmetic, and Metal's does. The adapters of the tests do not, so these tests check
 * the text: where the order matters, there is no float arithmetic to reorder.
 */
import { expect, test } from 'vitest';
import dotQ40 from '../../shaders/lib/dot-q4_0.wgsl?raw';
import dotQ80 from '../../shaders/lib/dot-q8_0.wgsl?raw';
import bins from '../../shaders/lib/product-bins.wgsl?raw';
import { loadedPrograms } from './programs.testing.ts';

/** Masks of the integers that are extracted from words, and the offsets subtracted from them as floats. */
function offsets(text: string): { mask: number; offset: number }[] {
  const uses = text.matchAll(/whole_(?:nibbles|bytes)\([^;]*?,\s*(0x[0-9a-f]{8})u,\s*(?:0x1p(\d+)f|0\.0)\)/g);
  return [...uses].map(([, mask, power]) => ({
    mask: Number(mask),
    offset: power === undefined ? 0 : 2 ** Number(power),
  }));
}

test.each([
  ['q4_0', dotQ40, 8],
  ['q8_0', dotQ80, 4],
])('%s: multiplying out loses a bit or two of a product, not all of it', (_format, text, count) => {
  const found = offsets(text);
  expect(found).toHaveLength(count);
  const masks = found.reduce((sum, { mask }) => sum + mask, 0);
  expect(masks).toBe(0xffffffff);
  const f = Math.fround;
  for (const { mask, offset } of found) {
    expect(offset).toBeLessThan(mask);
    const unit = mask & -mask; // the lowest bit
    for (const x of [1e4, -23_456.7, 6e4].map(f)) {
      const input = x / Math.abs(unit);
      const together = f(f(mask - offset) * input);
      const apart = f(f(f(mask) * input) - f(offset * input));
      expect(Math.abs(apart - together)).toBeLessThanOrEqual(
        Math.abs(x) * (mask / Math.abs(unit)) * 2 ** -23,
      );
    }
  }
});

test('no shader converts integers to floats by the mantissa of a large number', () => {
  const texts = new Map(loadedPrograms.flatMap(({ parts }) => parts.map(({ name, text }) => [name, text])));
  expect(texts.size).toBeGreaterThan(50);
  for (const [name, text] of texts) expect(text, name).not.toMatch(/0x4b[0-9a-f]{6}u|83886\d\d\.0/);
});

test('product bins: sums are compared and binned as integers', () => {
  // the build shortens local names
  const code = bins.replaceAll(/\/\/.*| /g, '').replaceAll(/\b(?:value|row|rank|id|[a-z])\b/g, '_');
  const floats = code.split('\n').filter((line) => /f32|candidate_sum/.test(line));
  expect(floats).toEqual([
    'fnorder_key(_:f32)->u32{',
    'returnorder_key(candidate_sum(_,_,_));',
    'place(_,_,candidate_sum(_,_,_),_);',
  ]);
});
