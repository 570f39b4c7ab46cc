import { describe, test } from 'vitest';
import { checkLinear } from './linear.testing.ts';
import { linearTiled } from './linear-tiled.ts';
import { quickly, runnable, testGpu } from '../testing.ts';
import { withFormat } from '../weights.testing.ts';
import type { FormatName } from '../../weights/formats/index.ts';

const gpu = await testGpu();
const variants = runnable(gpu, linearTiled);
const tileOuts = ({ outs, wg, lanes }: (typeof variants)[number]) => (outs * wg) / lanes;

test.each(quickly(variants).map((variant) => [linearTiled.key(variant), variant] as const))(
  '%s',
  async (_key, variant) => {
    await checkLinear(linearTiled, variant, {
      rows: variant.rows + 1,
      cols: 96,
      outs: tileOuts(variant) + 1,
    });
  },
);

// Edge cases do not depend on format or bias: they are tested in the formats with the shortest and the longest unit.
const every = (format: FormatName) => runnable(gpu, withFormat(linearTiled, format));
const plain = [...every('f32'), ...every('q4_0')].filter(({ bias }) => !bias);
describe.each(quickly(plain).map((variant) => [linearTiled.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    test.each([
      ['one row and output', 1, 32, 1],
      ['less than a tile', variant.rows - 1, 64, tileOuts(variant) - 1],
      ['a tile', variant.rows, 64, tileOuts(variant)],
      ['primes', 37, 160, 101],
    ])('%s', async (_name, rows, cols, outs) => {
      await checkLinear(linearTiled, variant, { rows, cols, outs });
    });
  },
);

// Columns that do not fill a whole stage or step exist only in formats with short units.
const short = [...every('f32'), ...every('bf16')].filter(({ bias }) => !bias);
test.each(short.map((variant) => [linearTiled.key(variant), variant] as const))(
  '%s: 40 and 56 columns',
  async (_key, variant) => {
    await checkLinear(linearTiled, variant, { rows: 9, cols: 40, outs: 33 });
    await checkLinear(linearTiled, variant, { rows: 9, cols: 56, outs: 33 });
  },
);

test('an expert of width 1408', async () => {
  const variant = every('q8_0').find(({ bias }) => !bias)!;
  await checkLinear(linearTiled, variant, { rows: 65, cols: 1408, outs: 70 });
});
