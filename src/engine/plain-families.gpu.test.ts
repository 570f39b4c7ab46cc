/** Families without a fixture of transformers: logits of plain loops, from folders and GGUF files, and bits with few slots. */
import { describe, expect, test } from 'vitest';
import { PLAIN_FAMILIES } from './plain-families.testing.ts';
import { plainFolder, plainGguf } from './plain-files.testing.ts';
import { forced } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const TOLERANCE = 1e-4; // of logits, f32 against f64

describe.each(Object.entries(PLAIN_FAMILIES))('%s', (type, family) => {
  const { vocab, experts } = family.model.shape;
  const ids = Array.from({ length: 20 }, (_, at) => (at * 37 + 5) % vocab);
  const wanted = family.model.logits(ids);
  const { num_experts_per_tok: topK } = family.config as { num_experts_per_tok: number };

  test.each(['gpu', 'cpu', 'reference'] as const)('logits on %s', async (device) => {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(plainFolder(family));
    expect(engine.model?.family).toBe(type);
    expect(largestError(await engine.logits(ids, 'at-once'), wanted)).toBeLessThan(TOLERANCE);
    expect(largestError(await engine.logits(ids, 'one-by-one'), wanted)).toBeLessThan(TOLERANCE);
    engine.dispose();
  });

  test.skipIf(!family.gguf)('a GGUF file has the bits of the folder', async () => {
    const bits = async (folder: ReturnType<typeof plainFolder>) => {
      const engine = await openEngine();
      await engine.load(folder);
      const logits = await engine.logits(ids, 'at-once');
      engine.dispose();
      return logits;
    };
    expect(firstDifference(await bits(plainGguf(family)), await bits(plainFolder(family)))).toBe('equal');
  });

  test('few slots give the same bits', async () => {
    const bits = async (slotsPerLayer: number) => {
      const engine = await openEngine();
      await engine.load(plainFolder(family), { streaming: { slotsPerLayer } });
      const logits = await forced(engine.runner, ids, 12);
      engine.dispose();
      return logits;
    };
    expect(firstDifference(await bits(topK), await bits(experts))).toBe('equal');
  });
});
