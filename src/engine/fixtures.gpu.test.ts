import { describe, expect, test } from 'vitest';
import type { DeviceKind, StreamingOptions } from './api.ts';
import {
  FIXTURE_FAMILIES,
  fixtureTolerance,
  firstDifference,
  largestError,
  openEngine,
  readGolden,
  repositoryFolder,
  type FixtureGolden,
} from './testing.ts';

const EXPERTS_PER_TOKEN = 2; // of every fixture: the fewest slots of a layer

describe.each(FIXTURE_FAMILIES)('%s', (family) => {
  test('logits equal the golden file on gpu', () => logitsEqualGolden('gpu'));
  test('logits equal the golden file on cpu', () => logitsEqualGolden('cpu'));
  test('logits equal the golden file by reference', { tags: ['full'] }, () => logitsEqualGolden('reference'));

  async function logitsEqualGolden(device: DeviceKind): Promise<void> {
    const folder = await repositoryFolder(`fixtures/models/${family}`);
    const golden = await readGolden<FixtureGolden>(folder);
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    await engine.load(folder);
    const want = golden.logits.flat();
    const tolerance = fixtureTolerance(family);
    expect(largestError(await engine.logits(golden.ids, 'at-once'), want)).toBeLessThan(tolerance);
    expect(largestError(await engine.logits(golden.ids, 'one-by-one'), want)).toBeLessThan(tolerance);
    engine.dispose();
  }

  test.each(['gpu', 'cpu'] as const)(
    'streamed through the fewest slots, the same bits on %s',
    async (device) => {
      const folder = await repositoryFolder(`fixtures/models/${family}`);
      const { ids } = await readGolden<FixtureGolden>(folder);
      const logits = async (streaming?: StreamingOptions) => {
        const engine = await openEngine(device === 'gpu' ? {} : { device });
        await engine.load(folder, streaming ? { streaming } : {});
        const values = [await engine.logits(ids, 'at-once'), await engine.logits(ids, 'one-by-one')];
        engine.dispose();
        return values;
      };
      const resident = await logits();
      const streamed = await logits({ start: 'now', fill: false, slotsPerLayer: EXPERTS_PER_TOKEN });
      for (const [index, values] of streamed.entries())
        expect(firstDifference(values, resident[index]!)).toBe('equal');
    },
  );

  test('shuffled expert slots give the same bits', { tags: ['full'] }, async () => {
    const folder = await repositoryFolder(`fixtures/models/${family}`);
    const { ids } = await readGolden<FixtureGolden>(folder);
    const logits = async (place?: (unit: number, layer: number) => number) => {
      const engine = await openEngine(place ? { streamTesting: { place } } : {});
      const { experts } = await engine.load(folder);
      const values = [await engine.logits(ids, 'at-once'), await engine.logits(ids, 'one-by-one')];
      engine.dispose();
      return { values, experts: experts.perLayer };
    };
    const straight = await logits();
    const shuffled = await logits((unit, layer) => (unit * 3 + layer + 1) % straight.experts);
    expect(straight.experts % 3).not.toBe(0); // so that the map is a permutation
    for (const [index, values] of straight.values.entries()) {
      const bits = (array: Float32Array | undefined) =>
        new Uint32Array((array ?? new Float32Array(0)).buffer);
      expect(bits(shuffled.values[index])).toEqual(bits(values));
    }
  });
});
