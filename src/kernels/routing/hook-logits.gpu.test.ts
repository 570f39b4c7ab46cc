import { describe, expect, test } from 'vitest';
import { hookLogits, packEdits, type LogitEdits } from './hook-logits.ts';
import { hookLogitsReference } from './hook-logits.reference.ts';
import { MASKED } from './stages/stage.ts';
import { expectClose, randomNormal, runKernel, runnable, testGpu } from '../testing.ts';

const gpu = await testGpu();
const variants = runnable(gpu, hookLogits);
const steer = { experts: [0, 2], strength: 1.5, epsilon: 1e-3, deviation: 'sample' } as const;

const EDITS: readonly (readonly [string, (experts: number) => LogitEdits])[] = [
  ['a bias', (experts) => ({ bias: [...randomNormal(experts, 2)] })],
  ['soft steering', () => ({ steer: { ...steer, mode: 'soft' } })],
  ['soft steering, population', () => ({ steer: { ...steer, mode: 'soft', deviation: 'population' } })],
  ['hard steering', () => ({ steer: { ...steer, mode: 'hard' } })],
  ['a mask', () => ({ mask: [1, 2] })],
  [
    'all of them',
    (experts) => ({ bias: [...randomNormal(experts, 3)], steer: { ...steer, mode: 'soft' }, mask: [2] }),
  ],
];

/** Both forms sum in other orders than the reference, of at most 1024 numbers near 1. */
const TOLERANCE = { absolute: 1e-5, relative: 1e-5 };

describe.each(variants.map((variant) => [hookLogits.key(variant), variant] as const))(
  '%s',
  (_key, variant) => {
    const run = async (
      logits: Float32Array<ArrayBuffer>,
      edits: LogitEdits,
      size: { tokens: number; experts: number },
    ) => {
      const buffers = { logits: logits.slice(), edits: packEdits(edits, size.experts) };
      const got = await runKernel(gpu, hookLogits, variant, { buffers, params: size, size });
      return got.logits as Float32Array<ArrayBuffer>;
    };

    describe.each(EDITS)('%s', (_name, editsOf) => {
      test.each([3, 31, 32, 33, 160, 1024])('%i experts', async (experts) => {
        const size = { tokens: 5, experts };
        const logits = randomNormal(size.tokens * experts, experts);
        const edits = editsOf(experts);
        const got = await run(logits, edits, size);
        expectClose(got, hookLogitsReference(logits, packEdits(edits, experts), size), TOLERANCE);
        expect(got).not.toEqual(logits);
      });
    });

    test('no bias, no strength and no mask change no bit', async () => {
      const size = { tokens: 7, experts: 64 };
      const logits = randomNormal(size.tokens * 64, 8, 1e30); // whose squares are not finite
      const edits = {
        bias: Array.from({ length: 64 }, () => 0),
        steer: { ...steer, mode: 'soft' as const, strength: 0 },
      };
      expect(await run(logits, { ...edits, mask: [] }, size)).toEqual(logits);
    });

    test('of one expert, the deviation is 0', async () => {
      const edits = { steer: { ...steer, experts: [0], mode: 'soft' as const } };
      expect([...(await run(Float32Array.of(3, 4), edits, { tokens: 2, experts: 1 }))]).toEqual([3, 4]);
    });

    test('tokens past the end are unchanged', async () => {
      const logits = Float32Array.of(1, 2, 3, 4);
      const got = await run(logits, { mask: [0] }, { tokens: 1, experts: 2 });
      expect([...got]).toEqual([Math.fround(MASKED), 2, 3, 4]);
    });
  },
);

test('the reference gives a hand-computed token', () => {
  // z = 1, 3, 5: deviation of the sample 2, largest 5; the mask comes last
  const one = (edits: LogitEdits) => [
    ...hookLogitsReference(Float32Array.of(0, 3, 5), packEdits({ bias: [1, 0, 0], ...edits }, 3), {
      tokens: 1,
      experts: 3,
    }),
  ];
  expect(one({ steer: { ...steer, mode: 'soft' } })).toEqual([4, 3, 8]);
  expect(one({ steer: { ...steer, mode: 'hard', epsilon: 0.5 } })).toEqual([5.5, 3, 5.5]);
  expect(one({ steer: { ...steer, mode: 'hard' }, mask: [2] })[2]).toBe(Math.fround(MASKED));
});
