/** Families without a fixture of transformers, with the default kernels of hardware: logits of plain loops. */
import { expect, test } from 'vitest';
import { PLAIN_FAMILIES } from './plain-families.testing.ts';
import { plainFolder } from './plain-files.testing.ts';
import { largestError, openEngine } from './testing.ts';

const TOLERANCE = 1e-4; // of logits, f32 against f64

test.each(Object.entries(PLAIN_FAMILIES))('%s', { tags: ['full'] }, async (_, family) => {
  const ids = Array.from({ length: 20 }, (_id, at) => (at * 37 + 5) % family.model.shape.vocab);
  const wanted = family.model.logits(ids);
  const engine = await openEngine({ tuning: 'off' });
  expect(engine.adapter.adapterClass).toBe('hardware');
  await engine.load(plainFolder(family));
  for (const mode of ['at-once', 'one-by-one'] as const)
    expect(largestError(await engine.logits(ids, mode), wanted), mode).toBeLessThan(TOLERANCE);
  engine.dispose();
});
