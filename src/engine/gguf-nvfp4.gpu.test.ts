/**
 * GGUF files of NVFP4, with and without factors of tensors: the same logits as the reference gives with the dequantised floats, and
 * the same bits with few experts in memory.
 */
import { test } from 'vitest';
import { expectAsFloats } from './gguf-grids.testing.ts';

test.each([
  ['without factors', false],
  ['with factors of tensors and experts', true],
])('%s', async (_, hasFactors) => {
  await expectAsFloats(['NVFP4', 'NVFP4', 'NVFP4'], hasFactors);
});
