import { describe, expect, test } from 'vitest';
import { activate } from './activation.reference.ts';
import { ACTIVATIONS, activationCode } from './activation.ts';
import { gluActivation } from './glu-activation.ts';
import { gluActivationReference } from './glu-activation.reference.ts';
import {
  expectClose,
  numbers,
  randomNormal,
  rounded,
  runKernel,
  runnable,
  scalars,
  testGpu,
  tolerance,
} from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, gluActivation);

describe.each(variants.map((variant) => [gluActivation.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    async function run(gateUp: Float32Array<ArrayBuffer>, rows: number, width: number, act: number) {
      const params = { rows, width, act };
      const { y } = await runKernel(gpu, gluActivation, variant, {
        buffers: {
          gate_up: scalars(gateUp, variant.scalar),
          y: { type: variant.scalar, count: rows * width },
        },
        params,
        size: params,
      });
      return numbers(y);
    }

    test.each([
      [1, 4],
      [3, 252],
      [1, 256],
      [2, 260],
      [5, 1408],
    ])('%i x %i', async (rows, width) => {
      const gateUp = randomNormal(2 * rows * width, 3, 2);
      const want = gluActivationReference(rounded(gateUp, variant.scalar), { rows, width, act: 0 });
      expectClose(await run(gateUp, rows, width, 0), want, tolerance(variant.scalar));
    });

    test.each([...ACTIVATIONS])('%s from -1e4 to 1e4, error at most 1e-6', async (name) => {
      const act = activationCode(name);
      const width = 4096;
      const gateUp = new Float32Array(2 * width).fill(1);
      for (let c = 0; c < width; c += 1) gateUp[c] = -12 + (24 * c) / width;
      gateUp.set([-1e4, -100, 0, 100, name === 'relu2' ? 200 : 1e4]);
      const x = rounded(gateUp, variant.scalar).subarray(0, width);
      const want = x.map((value) => activate(act, value));
      const limits =
        variant.scalar === 'f32' ? { absolute: 1e-6, relative: 2e-6 } : tolerance(variant.scalar);
      expectClose(await run(gateUp, 1, width, act), want, { ...limits, label: name });
    });
  },
);

test('the reference multiplies the halves', () => {
  const y = gluActivationReference(Float32Array.from([1, -1, 10, 20]), { rows: 1, width: 2, act: 3 });
  expect([...y]).toEqual([10, 0]);
});
