/**
 * Weights re-encoded while loading: the GPU and the CPU see the same values, and more bits come closer.
 *
 * @module-tag full
 */
import { expect, test } from 'vitest';
import type { QuantizeFormat } from './api.ts';
import { largestError, openEngine, readGolden, repositoryFolder, type FixtureGolden } from './testing.ts';

/** Relative RMS of the quantised model's logits against the golden ones, once GPU and CPU were seen to agree. */
async function drift(family: string, quantize: QuantizeFormat): Promise<number> {
  const folder = await repositoryFolder(`fixtures/models/${family}`);
  const golden = await readGolden<FixtureGolden>(folder);
  const logits: Float32Array[] = [];
  for (const device of [undefined, 'cpu', 'reference'] as const) {
    const engine = await openEngine(device ? { device } : {});
    await engine.load(folder, { quantize });
    logits.push(await engine.logits(golden.ids, 'at-once'), await engine.logits(golden.ids, 'one-by-one'));
    engine.dispose();
  }
  const [got = new Float32Array(0), ...others] = logits;
  for (const other of others) expect(largestError(other, got)).toBeLessThan(1e-4);
  const want = golden.logits.flat();
  const power = want.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(want.reduce((sum, value, index) => sum + (value - (got[index] ?? NaN)) ** 2, 0) / power);
}

// Random weights are the worst case: there is nothing that a trained model would have made redundant.
test.each(['granitemoe', 'qwen2_moe'])('%s in q8_0 and q4_0: GPU equals CPU', async (family) => {
  const eight = await drift(family, 'q8_0');
  const four = await drift(family, 'q4_0');
  expect(eight).toBeGreaterThan(0);
  expect(eight).toBeLessThan(0.06); // measured 0.005 and 0.040
  expect(four).toBeGreaterThan(4 * eight);
});
