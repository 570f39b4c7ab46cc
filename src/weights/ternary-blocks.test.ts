import { expect, test } from 'vitest';
import { weightFormat } from './formats/index.ts';
import { tq1_0 } from './formats/tq1_0.ts';
import { tq2_0 } from './formats/tq2_0.ts';
import { f32ToF16 } from './half.ts';

/** The code lines of a shader file. */
const codeOf = (text: string) => text.replaceAll(/\/\/.*/g, '');

test.each(['dot', 'step'] as const)('%s multiplies once, with the scale', (part) => {
  const source = tq2_0.wgsl[part];
  const texts = typeof source === 'string' ? [source] : source.map(({ text }) => text);
  const multiplied = texts.flatMap((text) => [...codeOf(text).matchAll(/.*\*.*/g)].map(([line]) => line));
  const products = multiplied.filter((line) => !/8u ?\*/.test(line)); // but for places
  expect(products.length).toBe(1);
  expect(products[0]).toMatch(/\.x/);
});

test('the digits of a byte and its pairs of bits are the same weights', () => {
  const codes = Array.from({ length: 256 }, (_, at) => (7 * at + (at >> 3)) % 3);
  const digits = new Uint8Array(54);
  const runs = [
    [0, 32, 0, 5],
    [32, 16, 160, 5],
    [48, 4, 240, 4],
  ] as const;
  for (const [at, bytes, first, count] of runs) {
    for (let m = 0; m < bytes; m += 1) {
      let value = 0;
      for (let digit = 0; digit < 5; digit += 1)
        value = 3 * value + (digit < count ? (codes[first + digit * bytes + m] ?? 0) : 0);
      digits[at + m] = Math.ceil((value * 256) / 243); // as ggml's encoder
    }
  }
  const pairs = new Uint8Array(66);
  for (const [at, code] of codes.entries()) {
    const byte = 32 * (at >> 7) + (at & 31);
    pairs[byte] = (pairs[byte] ?? 0) | (code << (2 * ((at >> 5) & 3)));
  }
  const scale = f32ToF16(0.375);
  new DataView(digits.buffer).setUint16(52, scale, true);
  new DataView(pairs.buffer).setUint16(64, scale, true);
  const [one, two] = [tq1_0.repack!(digits, 1, 256), tq2_0.repack!(pairs, 1, 256)];
  expect(one).toEqual(two);
  expect([...tq2_0.decode(two, 1, 256)]).toEqual(codes.map((code) => 0.375 * (code - 1)));
  expect(weightFormat('tq1_0').simd).toBe(weightFormat('tq2_0').simd);
});
