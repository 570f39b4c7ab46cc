/** A GPU that refuses memory gets fewer slots, down to what one token needs. */
import { expect, test } from 'vitest';
import { Gpu } from '../../gpu/device.ts';
import { ExpertMemory } from './expert-memory.ts';
import { GpuExperts } from './gpu-experts.ts';
import { draftModel, sizeModel } from '../load/planning.ts';
import { modelInMemory } from '../streaming.testing.ts';

test('half the slots, until they fit; and a typed error where none do', async () => {
  const gpu = await Gpu.open();
  const drafted = await draftModel(await modelInMemory('demo/public/models/fable-moe-12m'), {});
  const { slots, fewer } = sizeModel(drafted, gpu, {});
  const { recordBytes } = drafted.experts!;
  const open = (budgetSlots: number) => {
    gpu.budgetBytes = gpu.usedBytes() + budgetSlots * recordBytes;
    const device = new GpuExperts(gpu, drafted);
    return ExpertMemory.open(device, drafted, { slots: slots!, fewer, streaming: {}, testing: {} });
  };
  expect(slots).toMatchObject({ places: 32, streams: false });
  const half = await open(32 * 6 - 1);
  expect(half.slots).toMatchObject({ places: 16, streams: true });
  half.dispose();
  const least = await open(60);
  expect(least.slots.places).toBe(4);
  least.dispose();
  expect(gpu.usedBytes()).toBe(0);
  await expect(open(20)).rejects.toMatchObject({ code: 'out-of-memory' });
  expect(gpu.usedBytes()).toBe(0);
  gpu.dispose();
  drafted.checkpoint.dispose();
});
