import { describe, expect, test } from 'vitest';
import { f16ToF32 } from '../../weights/half.ts';
import { linear } from './linear.ts';
import { linearReference } from './linear.reference.ts';
import { checkLinear } from './linear.testing.ts';
import { expectClose, numbers, quickly, runKernel, runnable, scalars, testGpu } from '../testing.ts';
import { withFormat } from '../weights.testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, linear);

const tileOuts = ({ outs, wg, lanes }: (typeof variants)[number]) => (outs * wg) / lanes;

test.each(quickly(variants).map((variant) => [linear.key(variant), variant] as const))(
  '%s',
  async (_key, variant) => {
    await checkLinear(linear, variant, { rows: variant.rows + 1, cols: 96, outs: tileOuts(variant) + 1 });
  },
);

// Edge cases do not depend on format or bias.
const plain = variants.filter(({ format, bias }) => format === 'f32' && !bias);
describe.each(plain.map((variant) => [linear.key(variant), variant] as const))('%s', (_key, variant) => {
  test.each([
    ['one output', 1, 32, 1],
    ['less than a tile', 1, 64, tileOuts(variant) - 1],
    ['a tile', variant.rows, 1056, tileOuts(variant)],
    ['a prime', 3, 224, 101],
  ])('%s', async (_name, rows, cols, outs) => {
    await checkLinear(linear, variant, { rows, cols, outs });
  });
});

// Realistic sizes, once each, in the variants for GPUs and for software adapters.
const realistic = runnable(gpu, withFormat(linear, 'q4_0')).filter(
  ({ scalar, rows, bias }) => scalar === 'f32' && rows === 1 && !bias,
);
const manyOuts = realistic.filter(({ lanes, subgroups }) => lanes === 1 || subgroups); // barriers take seconds here
test.each(manyOuts.map((variant) => [linear.key(variant), variant] as const))(
  '%s: 49155 outputs',
  async (_key, variant) => {
    await checkLinear(linear, variant, { rows: 1, cols: 64, outs: 49155 });
  },
);
test.each(realistic.map((variant) => [linear.key(variant), variant] as const))(
  '%s: a long row',
  async (_key, variant) => {
    await checkLinear(linear, variant, { rows: 8, cols: 1408, outs: 130 });
  },
);

const scaled = runnable(gpu, withFormat(linear, 'q8_0')).filter(({ rows, bias }) => rows === 1 && !bias);
test.each(scaled.map((variant) => [linear.key(variant), variant] as const))(
  '%s: subnormal scales count',
  async (_key, variant) => {
    const [cols, outs] = [64, 3];
    const scales = (cols * outs) / 4;
    const words = new Uint32Array(scales + 4).fill(0x01010101); // every quant is 1
    const bits = [0x0020, 0x83ff, 0x0400]; // f16: two subnormal numbers and the smallest normal one; two blocks per row
    for (const [row, half] of bits.entries()) words[scales + row] = (half << 16) | half;
    const x = new Float32Array(cols).fill(1);
    const { y } = await runKernel(gpu, linear, variant, {
      buffers: { x: scalars(x, variant.scalar), w: words, y: { type: variant.out, count: outs }, bias: x },
      params: { rows: 1, cols, outs, scales, multiplier: 2 ** 10, first: 0, y_first: 0, y_cols: outs },
      size: { rows: 1, cols, outs },
    });
    const want = bits.map((half) => 2 ** 10 * cols * (half & 0x8000 ? -1 : 1) * f16ToF32(half & 0x7fff));
    expectClose(numbers(y), Float32Array.from(want), {
      absolute: 0,
      relative: variant.out === 'f16' ? 1e-3 : 1e-6,
    });
  },
);

test('columns that are not whole units are rejected', () => {
  const variant = linear.variants.find(({ format }) => format === 'q8_0')!;
  expect(() => linear.grid({ rows: 1, cols: 48, outs: 4 }, variant)).toThrow('48 columns of q8_0');
});

test('the reference multiplies, adds and scales', () => {
  const y = linearReference(
    Float32Array.from([1, 2, 3, 4, 5, -1, 0, 1, 0, 2]),
    Float32Array.from([1, 1, 1, 1, 1, 0, 0, 0, 2, 3]),
    Float32Array.from([10, 20]),
    { rows: 2, cols: 5, outs: 2, multiplier: 2 },
  );
  expect([...y]).toEqual([50, 86, 24, 52]);
});
