import { expect, test } from 'vitest';
import { BUILT_IN_FORMATS, weightFormat } from '../weights/formats/index.ts';
import { FIRST_CODED, INT8 } from './kernels.ts';
import { formatKernel, productKernel } from './run.ts';
import { Bench } from './testing.ts';

const { memory } = new Bench('plain');

test.each(BUILT_IN_FORMATS)('%s has the kernels that its number says', (format) => {
  const { simd = 0, storedAs } = weightFormat(format);
  const isCoded = simd >= FIRST_CODED;
  const isQuantized = storedAs === undefined;
  for (const name of ['linear', 'glu', 'embedding'] as const)
    expect(formatKernel(memory, name, format)?.format, name).toBe(simd);
  for (const name of ['atomic_scores', 'atomic_scores_sorted', 'atomic_combine'] as const)
    expect(formatKernel(memory, name, format)?.format, name).toBe(isCoded ? undefined : simd);
  const wanted = isQuantized && !isCoded ? simd + INT8 : simd;
  expect(productKernel(memory, 'linear', format, { int8: true })?.format).toBe(wanted);
});

test('numbers are unique, but for formats that are alike in memory', () => {
  const numbers = BUILT_IN_FORMATS.map((format) => weightFormat(format).simd);
  const alike = {
    tq1_0: 'tq2_0',
    iq2_xs: 'iq2_xxs',
    iq2_s: 'iq2_xxs',
    iq1_s: 'iq3_s',
    iq1_m: 'iq3_s',
    f4_g16: 'nvfp4',
  };
  expect(new Set(numbers).size).toBe(BUILT_IN_FORMATS.length - Object.keys(alike).length);
  for (const [format, same] of Object.entries(alike))
    expect(weightFormat(format).simd).toBe(weightFormat(same).simd);
});
