/** Heads whose columns are divided by their lengths (Ling's `norm_head`): logits of plain loops, and bits with few slots. */
import { describe, expect, test } from 'vitest';
import { tiedUnitHead, unitHead } from './plain-bailing.testing.ts';
import { plainFolder, plainGguf } from './plain-files.testing.ts';
import { forced } from './streaming.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const TOLERANCE = 1e-4; // of logits, f32 against f64
const IDS = Array.from({ length: 20 }, (_, at) => (at * 37 + 5) % unitHead.model.shape.vocab);

describe.each([
  ['a head of its own', unitHead],
  ['the embedding as head', tiedUnitHead],
])('%s', (_, family) => {
  const wanted = family.model.logits(IDS);

  test.each(['gpu', 'cpu', 'reference'] as const)('logits on %s', async (device) => {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(plainFolder(family));
    expect(largestError(await engine.logits(IDS, 'at-once'), wanted)).toBeLessThan(TOLERANCE);
    expect(largestError(await engine.logits(IDS, 'one-by-one'), wanted)).toBeLessThan(TOLERANCE);
    engine.dispose();
  });

  test('without norm_head the logits are others', async () => {
    const engine = await openEngine({ device: 'reference' });
    await engine.load(plainFolder(family, { norm_head: false }));
    expect(largestError(await engine.logits(IDS, 'at-once'), wanted)).toBeGreaterThan(0.1);
    engine.dispose();
  });

  test('few slots give the same bits', async () => {
    const bits = async (slotsPerLayer: number) => {
      const engine = await openEngine();
      await engine.load(plainFolder(family), { streaming: { slotsPerLayer } });
      const logits = await forced(engine.runner, IDS, 12);
      engine.dispose();
      return logits;
    };
    expect(firstDifference(await bits(3), await bits(family.model.shape.experts))).toBe('equal');
  });
});

test('devices agree on a head that is quantised when it is loaded', async () => {
  const logits = async (device: 'gpu' | 'cpu' | 'reference') => {
    const engine = await openEngine({ device });
    await engine.load(plainFolder(unitHead), { quantize: 'q8_0' });
    const found = await engine.logits(IDS, 'at-once');
    engine.dispose();
    return found;
  };
  const reference = await logits('reference');
  expect(largestError(await logits('gpu'), reference)).toBeLessThan(TOLERANCE);
  expect(largestError(await logits('cpu'), reference)).toBeLessThan(TOLERANCE);
});

test('the converter to GGUF has divided the columns', async () => {
  const engine = await openEngine();
  await engine.load(plainGguf(unitHead));
  expect(largestError(await engine.logits(IDS, 'at-once'), unitHead.model.logits(IDS))).toBeLessThan(
    TOLERANCE,
  );
  engine.dispose();
});
