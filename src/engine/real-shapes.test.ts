/** What models of real sizes ask of a device, from their headers. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, type AdapterFacts } from '../gpu/device.ts';
import type { LoadOptions } from './api.ts';
import { headersOnly, QWEN3_30B } from './model-shapes.testing.ts';
import { draftModel, sizeModel } from './planning.ts';

const MIB = 2 ** 20;

/** A GPU that allows no more than any must. */
const portable: AdapterFacts = {
  name: 'portable',
  adapterClass: 'hardware',
  features: new Set(['subgroups']),
  limits: DEFAULT_LIMITS,
};

const small = { ...QWEN3_30B, layers: 2 };

describe('a vocabulary of 151,936 x 2048 on the portable limits', () => {
  test.each([undefined, 'q8_0', 'q4_0'] as const)(
    'fits in 128 MiB bindings, quantize %s',
    async (quantize) => {
      const options: LoadOptions = { memoryBudget: 64 * 2 ** 30, ...(quantize ? { quantize } : {}) };
      const drafted = await draftModel(headersOnly(small), options, []);
      const { plan, limits } = sizeModel(drafted, portable, options);
      expect(plan).toMatchObject({ fits: true, why: '' });
      expect(limits.maxBindingBytes).toBeLessThanOrEqual(128 * MIB);
      expect(limits.maxBufferSizeBytes).toBeLessThanOrEqual(256 * MIB);
      const perWeight = { none: 2, q8_0: 34 / 32, q4_0: 18 / 32 }[quantize ?? 'none'];
      expect(plan.bytes.dense).toBeGreaterThan(2 * 151_936 * 2048 * perWeight); // embedding and head
    },
  );
});
