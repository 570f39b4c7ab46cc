/** Families without a fixture of transformers, with activations in f16: near the logits of plain loops. */
import { expect, test } from 'vitest';
import { PLAIN_FAMILIES } from './plain-families.testing.ts';
import { plainFolder } from './plain-files.testing.ts';
import { largestError, openEngine } from './testing.ts';

/** Of logits with f16 activations, against f64. */
const TOLERANCE = 2e-2;

test.each(Object.entries(PLAIN_FAMILIES))('%s in f16', async (_, family) => {
  const ids = Array.from({ length: 20 }, (_id, at) => (at * 37 + 5) % family.model.shape.vocab);
  const wanted = family.model.logits(ids);
  const engine = await openEngine();
  await engine.load(plainFolder(family), { activations: 'f16' });
  for (const mode of ['at-once', 'one-by-one'] as const)
    expect(largestError(await engine.logits(ids, mode), wanted), mode).toBeLessThan(TOLERANCE);
  engine.dispose();
});
