/** Merged models on the GPU: as by the reference, and streamed as resident. */
import { expect, test } from 'vitest';
import { firstDifference, largestError, openEngine } from '../testing.ts';
import { merged } from './merge.ts';
import { pairs, withPairs } from './merge.testing.ts';
import { folderOf } from './reshape.testing.ts';

const IDS = [3, 17, 5, 40, 21, 9, 33, 2, 11, 60, 1, 8];

test('a merged model has the logits of the reference, resident or streamed', async () => {
  const drafted = await withPairs((values) => values.map((value) => -value));
  const folder = await folderOf(merged(drafted, pairs(drafted)));
  const logits = async (device: 'reference' | undefined, slotsPerLayer?: number) => {
    const engine = await openEngine(device ? { device } : {});
    const streaming =
      slotsPerLayer === undefined ? {} : ({ slotsPerLayer, start: 'now', fill: false } as const);
    await engine.load(folder, { streaming });
    const found = [await engine.logits(IDS, 'at-once'), await engine.logits(IDS, 'one-by-one')];
    engine.dispose();
    return found;
  };
  const [wanted = new Float32Array()] = await logits('reference');
  const resident = await logits(undefined);
  const streamed = await logits(undefined, 3);
  for (const [index, each] of resident.entries()) {
    expect(largestError(each, wanted)).toBeLessThan(1e-4);
    expect(firstDifference(streamed[index] ?? new Float32Array(), each)).toBe('equal');
  }
});
