/** Carved models on the GPU and in WebAssembly: as by the reference, and streamed as resident. */
import { expect, test } from 'vitest';
import { draftModel } from '../load/planning.ts';
import { firstDifference, largestError, openEngine } from '../testing.ts';
import { carved } from './carve.ts';
import { storiesFolder } from './carve.testing.ts';
import { folderOf } from './reshape.testing.ts';

const IDS = [1, 403, 407, 261, 378, 9, 33, 2, 40, 21, 100, 8];

test('a carved model has the logits of the reference, resident or streamed', async () => {
  const drafted = await draftModel(await storiesFolder(), {});
  const folder = await folderOf(carved(drafted, { experts: 43, shared: 3, active: 6 }, []));
  const logits = async (device: 'gpu' | 'cpu' | 'reference', slotsPerLayer?: number) => {
    const engine = await openEngine(device === 'gpu' ? {} : { device });
    const streaming =
      slotsPerLayer === undefined ? {} : ({ slotsPerLayer, start: 'now', fill: false } as const);
    await engine.load(folder, { streaming });
    const found = [await engine.logits(IDS, 'at-once'), await engine.logits(IDS, 'one-by-one')];
    engine.dispose();
    return found;
  };
  const [wanted = new Float32Array()] = await logits('reference');
  for (const device of ['gpu', 'cpu'] as const) {
    const resident = await logits(device);
    const streamed = await logits(device, 8);
    for (const [index, each] of resident.entries()) {
      expect(largestError(each, wanted)).toBeLessThan(1e-4);
      expect(firstDifference(streamed[index] ?? new Float32Array(), each)).toBe('equal');
    }
  }
});
