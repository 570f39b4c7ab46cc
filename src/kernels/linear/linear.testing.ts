/** Shared by the tests of `linear` and `linear-tiled`, which compute the same function. */
import { expect } from 'vitest';
import type { Gpu } from '../../gpu/device.ts';
import type { Kernel } from '../kernel.ts';
import type { linear, LinearSize, LinearVariant } from './linear.ts';
import { linearReference } from './linear.reference.ts';
import {
  expectClose,
  numbers,
  randomNormal,
  rounded,
  runKernel,
  scalars,
  testGpu,
  tolerance,
} from '../testing.ts';
import { testWeights, wholeBlocks } from '../weights.testing.ts';

type LinearKernel<V extends LinearVariant> = Kernel<
  typeof linear.bindings,
  typeof linear.params,
  V,
  LinearSize
>;

/** Runs one shape, with whole blocks of columns, on random values and compares with the reference. */
export async function checkLinear<V extends LinearVariant>(
  kernel: LinearKernel<V>,
  variant: V,
  size: LinearSize,
  gpu?: Gpu,
): Promise<void> {
  const { rows, outs } = size;
  const cols = wholeBlocks(variant.format, size.cols);
  // A dispatch computes some outputs of a longer row of y, from some rows of w.
  const [first, before, behind] = [3, 2, 1];
  const yCols = before + outs + behind;
  const { words, scales, values } = testWeights(variant.format, first + outs + 1, cols, 11);
  const x = randomNormal(rows * cols, 1);
  const bias = randomNormal(yCols, 2);
  const params = { rows, cols, outs, scales, multiplier: 0.75, first, y_first: before, y_cols: yCols };
  const { y } = await runKernel(gpu ?? (await testGpu()), kernel, variant, {
    buffers: {
      x: scalars(x, variant.scalar),
      w: words,
      y: { type: variant.out, count: rows * yCols },
      bias, // bound if the variant has it
    },
    params,
    size: { rows, cols, outs },
  });
  const want = linearReference(
    rounded(x, variant.scalar),
    values.subarray(first * cols),
    variant.bias ? bias.subarray(before) : undefined,
    params,
  );
  // A sum of n terms of size s has an error of about sqrt(n) s 2^-24: terms here are near 0.5.
  const absolute = variant.out === 'f16' ? 2e-3 : 4e-7 * Math.sqrt(cols);
  const { relative } = tolerance(variant.out);
  const all = numbers(y);
  const part = (from: number, count: number) =>
    Float32Array.from({ length: rows * count }, (_, at) => {
      return all[Math.floor(at / count) * yCols + from + (at % count)] ?? NaN;
    });
  const around = [...part(0, before), ...part(before + outs, behind)];
  expect(
    around.every((value) => !(Math.abs(value) < 1e4)),
    'elements around the outputs are still poison',
  ).toBe(true);
  expectClose(part(before, outs), want, {
    absolute,
    relative,
    label: `${kernel.key(variant)} ${rows}x${cols}x${outs}`,
  });
}
