/**
 * GGUF files of ggml's IQ1, IQ2 and IQ3 formats: the same logits as the reference gives with the dequantised floats, and the same bits
 * with few experts in memory.
 */
import { expect, test } from 'vitest';
import { expectAsFloats, MIXES } from './gguf-grids.testing.ts';

test.each(MIXES)('experts of %s and %s, others of %s', async (...mix) => {
  expect(await expectAsFloats(mix)).toContain('expanded');
});
