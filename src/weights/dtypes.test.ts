import { describe, expect, test } from 'vitest';
import {
  bf16ArrayToF32,
  bf16ToF32,
  f16ArrayToF32,
  f16ToF32,
  f32ArrayToBf16,
  f32ArrayToF16,
  f32ToBf16,
  f32ToF16,
  f8ToF32,
} from './half.ts';
import { BLOCK_DTYPES, findNonFinite, toF32, type BlockDtype } from './dtypes.ts';
import { GGML_FORMATS } from './ggml-blocks.testing.ts';
import { storedToF32 } from './matrix.ts';
import { seededRandom } from '../containers/seeded-random.testing.ts';

const everyBits = Uint16Array.from({ length: 0x1_0000 }, (_, i) => i);

/** Nearest value of a sorted list, ties to the even index: bits increase with the magnitude, so this is "ties to even". */
function nearestBits(magnitudes: Float32Array, value: number): number {
  let low = 0;
  let high = magnitudes.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (magnitudes[middle]! <= value) low = middle;
    else high = middle;
  }
  const below = value - magnitudes[low]!;
  const above = magnitudes[high]! - value;
  if (below === above) return low % 2 === 0 ? low : high;
  return below < above ? low : high;
}

/** f32 bit patterns around every rounding edge: each value of the format, each midpoint, and their neighbours. */
function edges(magnitudes: Float32Array): number[] {
  const float = new Float32Array(1);
  const word = new Uint32Array(float.buffer);
  const found: number[] = [];
  for (let i = 0; i + 1 < magnitudes.length; i += 7) {
    for (const centre of [magnitudes[i]!, (magnitudes[i]! + magnitudes[i + 1]!) / 2]) {
      float[0] = centre;
      const bits = word[0]!;
      for (const near of [bits - 1, bits, bits + 1]) {
        word[0] = Math.max(near, 0);
        found.push(float[0]);
      }
    }
  }
  return found;
}

describe.each([
  ['f16', f16ToF32, f32ToF16, 0x7c00],
  ['bf16', bf16ToF32, f32ToBf16, 0x7f80],
] as const)('%s', (_name, decode, encode, infinity) => {
  const magnitudes = Float32Array.from({ length: infinity }, (_, i) => decode(i));

  test('every bit pattern is preserved by conversion to f32 and back', () => {
    for (const bits of everyBits) {
      const value = decode(bits);
      if (Number.isNaN(value)) expect(Number.isNaN(decode(encode(value)))).toBe(true);
      else if (encode(value) !== bits) expect.fail(`${bits} became ${encode(value)}`);
    }
  });

  test('values increase with their bits', () => {
    for (let i = 1; i < magnitudes.length; i++) {
      if (!(magnitudes[i]! > magnitudes[i - 1]!)) expect.fail(`not above its neighbour: ${i}`);
    }
    expect(decode(infinity)).toBe(Number.POSITIVE_INFINITY);
    expect(Object.is(decode(0x8000), -0)).toBe(true);
  });

  test('rounds to nearest, ties to even, at every edge and at random', () => {
    const random = seededRandom(1);
    const word = new Uint32Array(1);
    const float = new Float32Array(word.buffer);
    const largest = magnitudes.at(-1)!;
    const cases = edges(magnitudes);
    for (let i = 0; i < 20_000; i++) {
      word[0] = Math.floor(random() * 0x7f80_0000);
      if (float[0]! <= largest) cases.push(float[0]!);
    }
    for (const value of cases) {
      const wanted = nearestBits(magnitudes, value);
      if (encode(value) !== wanted) expect.fail(`${value}: got ${encode(value)}, want ${wanted}`);
      if (encode(-value) !== (wanted | 0x8000)) expect.fail(`-${value}: got ${encode(-value)}`);
    }
    expect(cases.length).toBeGreaterThan(20_000);
  });

  test('preserves infinities and NaN', () => {
    expect(encode(Number.POSITIVE_INFINITY)).toBe(infinity);
    expect(encode(Number.NEGATIVE_INFINITY)).toBe(infinity | 0x8000);
    expect(Number.isNaN(decode(encode(Number.NaN)))).toBe(true);
  });
});

test('f16 overflows to infinity from 65520 on', () => {
  expect(f32ToF16(65519.996)).toBe(0x7bff);
  expect(f32ToF16(65520)).toBe(0x7c00);
  expect(f32ToF16(-1e30)).toBe(0xfc00);
});

test('f8 has the values of its definition, which are those of f16 with the same bits and another bias', () => {
  const known = [0x00, 0x01, 0x07, 0x08, 0x38, 0xb8, 0x7e, 0xfe].map(f8ToF32);
  expect(known).toEqual([0, 2 ** -9, 7 * 2 ** -9, 2 ** -6, 1, -1, 448, -448]);
  for (let bits = 0; bits < 256; bits += 1) {
    const isNan = (bits & 0x7f) === 0x7f;
    const wanted = isNan ? NaN : 256 * f16ToF32(((bits & 0x80) << 8) | ((bits & 0x7f) << 7));
    expect(f8ToF32(bits), String(bits)).toBe(wanted);
  }
});

test('arrays convert like their elements', () => {
  expect(f16ArrayToF32(everyBits).findIndex((value, i) => !Object.is(value, f16ToF32(i)))).toBe(-1);
  expect(bf16ArrayToF32(everyBits).findIndex((value, i) => !Object.is(value, bf16ToF32(i)))).toBe(-1);
  const values = Float32Array.of(1.1, -2.7, 1e-7, 65504, 0);
  expect([...f32ArrayToF16(values)]).toEqual([...values].map(f32ToF16));
  expect([...f32ArrayToBf16(values)]).toEqual([...values].map(f32ToBf16));
});

test('toF32 reads every numeric type, aligned or not', () => {
  const bytes = new Uint8Array(17);
  new DataView(bytes.buffer).setBigInt64(1, -3n, true);
  new DataView(bytes.buffer).setBigInt64(9, 5n, true);
  const odd = bytes.subarray(1);
  expect([...toF32('I64', odd)]).toEqual([-3, 5]);
  expect([...toF32('I32', odd)]).toEqual([-3, -1, 5, 0]);
  expect([...toF32('U8', odd).slice(0, 2)]).toEqual([253, 255]);
  expect([...toF32('F64', new Uint8Array(Float64Array.of(0.1).buffer))]).toEqual([Math.fround(0.1)]);
  expect([...toF32('F16', new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer))]).toEqual([1, -2]);
});

test.each([
  ['F32', Float32Array.of(1, 2, Number.NaN, 4), 2],
  ['F32', Float32Array.of(1, -3.4e38, 0, 1e-45), -1],
  ['F64', Float64Array.of(1, Number.NEGATIVE_INFINITY), 1],
  ['F16', Uint16Array.of(0x7bff, 0xfbff, 0xfc00), 2],
  ['F16', Uint16Array.of(0x7bff, 0xfbff, 0x03ff), -1],
  ['BF16', Uint16Array.of(0x7f7f, 0x7fc0), 1],
  ['I32', Int32Array.of(-1, 0x7f80_0000), -1],
  ['F8_E4M3', Uint8Array.of(0x7e, 0xfe, 0x78, 0xff), 3],
  ['F8_E4M3', Uint8Array.of(0x7e, 0xfe, 0x7f), 2],
] as const)('findNonFinite %s', (dtype, values, wanted) => {
  expect(findNonFinite(dtype, new Uint8Array(values.buffer))).toBe(wanted);
});

/** One block of random bytes after another. */
function randomBlocks(sizeBytes: number, count: number): Uint8Array<ArrayBuffer>[] {
  const random = seededRandom(1);
  const one = () => Uint8Array.from({ length: sizeBytes }, () => 256 * random());
  return Array.from({ length: count }, one);
}

// Of NVFP4, ggml reads all codes of scales as numbers.
const blockDtypes = GGML_FORMATS.filter((name) => name !== 'nvfp4').map(
  (name) => name.toUpperCase() as BlockDtype,
);

test.each(blockDtypes)('findNonFinite finds a scale of %s that is no number', (dtype) => {
  const { block, sizeBytes } = BLOCK_DTYPES[dtype];
  const isFinite = (bytes: Uint8Array<ArrayBuffer>) =>
    storedToF32(dtype, bytes, 1, block).every(Number.isFinite);
  const blocks = randomBlocks(sizeBytes, 300);
  const [good = new Uint8Array(), bad = good] = [
    blocks.find(isFinite),
    blocks.find((each) => !isFinite(each)),
  ];
  expect(blocks.filter((each) => findNonFinite(dtype, each) !== (isFinite(each) ? -1 : 0))).toEqual([]);
  expect(findNonFinite(dtype, new Uint8Array([...good, ...good, ...bad, ...bad]))).toBe(2 * block);
});

test('findNonFinite finds factors and scales of F4_G16 that are no numbers', () => {
  const blockOf = (factor: number, scale: number) => {
    const bytes = new Uint8Array(40);
    new DataView(bytes.buffer).setFloat32(0, factor, true);
    bytes[6] = scale;
    return bytes;
  };
  for (const bad of [
    blockOf(Infinity, 1),
    blockOf(-Infinity, 1),
    blockOf(NaN, 1),
    blockOf(2, 0x7f),
    blockOf(2, 0xff),
  ]) {
    expect(findNonFinite('F4_G16', new Uint8Array([...blockOf(-3e38, 0x7e), ...bad]))).toBe(64);
  }
  expect(findNonFinite('F4_G16', blockOf(1, 0x7e))).toBe(-1);
});
