/**
 * Experts packed in nested bit planes, read in 2, 3 and 4 bits: kernels of the planes on each device against the reference, a part of a
 * record against a pack of fewer bits, few experts in memory against all, and no byte read or uploaded that is not wanted.
 */
import { describe, expect, test } from 'vitest';
import { memoryFolder } from '../io/memory.ts';
import { floatModel, packedModel, watched } from './nested-model.testing.ts';
import { firstDifference, largestError, openEngine } from './testing.ts';

const IDS = [1, 40, 17, 3, 90, 62, 8];
const TOLERANCE = 1e-4; // of logits
const BITS = [2, 3, 4] as const;
const [LAYERS, EXPERTS] = [2, 8];
/** Weights of an expert, and the rows whose scales say where planes are. */
const [WEIGHTS, ROWS] = [3 * 64 * 192, 64 + 64 + 192];

const floats = floatModel();
const files = await packedModel(floats, 'nested4');

async function logitsOf(folder: ReturnType<typeof memoryFolder>, expertBits?: 2 | 3 | 4) {
  const engine = await openEngine({ device: 'reference' });
  await engine.load(folder, expertBits === undefined ? {} : { expertBits });
  const logits = await engine.logits(IDS, 'at-once');
  engine.dispose();
  return logits;
}

describe.each(BITS)('%i bits', (expertBits) => {
  test('every device computes what the reference does; few experts in memory change no bit', async () => {
    const wanted = await logitsOf(memoryFolder(files), expertBits);
    for (const device of ['gpu', 'cpu'] as const) {
      const engine = await openEngine(device === 'gpu' ? {} : { device });
      const { plan } = await engine.load(memoryFolder(files), { expertBits });
      expect(plan.notes.map(({ kind }) => kind).includes('fewer-bits')).toBe(expertBits < 4);
      if (device === 'cpu') expect(plan.notes.map(({ kind }) => kind)).not.toContain('no-kernels');
      expect(largestError(await engine.logits(IDS, 'at-once'), wanted), device).toBeLessThan(TOLERANCE);
      const whole = await engine.logits(IDS, 'one-by-one');
      expect(largestError(whole, wanted), device).toBeLessThan(TOLERANCE);
      await engine.resize({ streaming: { slotsPerLayer: 2 } });
      expect(firstDifference(await engine.logits(IDS, 'one-by-one'), whole), device).toBe('equal');
      engine.dispose();
    }
  });

  test('is a pack of so many bits', async () => {
    const own = await packedModel(floats, `nested${expertBits}`);
    expect(
      firstDifference(await logitsOf(memoryFolder(files), expertBits), await logitsOf(memoryFolder(own))),
    ).toBe('equal');
    if (expertBits < 4) {
      await expect(logitsOf(memoryFolder(own), 4)).rejects.toThrow('it leaves out planes of experts');
    }
  });

  test('reads and uploads the planes of these bits, and plans for no more', async () => {
    const { folder, reads } = watched(files);
    const engine = await openEngine();
    const { plan } = await engine.load(folder, { expertBits });
    const experts = reads.filter(({ name }) => name.startsWith('experts-'));
    const perExpert = experts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / (LAYERS * EXPERTS);
    // Bits of weights; scales of groups of 128 and 64 columns: two halves of the base, one of each plane and one of padding in odd rows.
    const groups = 2 * 64 * 2 + 192;
    const planes = expertBits - 2;
    const pairs = 2 * 64 + 192;
    expect(perExpert).toBe((WEIGHTS * expertBits) / 8 + 8 * ROWS + 4 * groups + 4 * pairs * planes);
    expect(plan.bytes.oneExpert).toBe(perExpert);
    expect((await engine.streaming())?.unitBytes).toBe(perExpert);
    expect(plan.bytes.download).toBe(
      Object.entries(files)
        .filter(([name]) => /safetensors|bin$/.test(name))
        .reduce((sum, [, { length }]) => sum + length, 0) -
        LAYERS * EXPERTS * (fullBytes(4) - fullBytes(expertBits)),
    );
    await engine.resize({ streaming: { slotsPerLayer: 2, lookahead: 0 } });
    reads.length = 0;
    await engine.logits(IDS, 'one-by-one');
    const { misses, uploadedBytes } = (await engine.streaming())!;
    expect(misses).toBeGreaterThan(0);
    expect(uploadedBytes % perExpert).toBe(0);
    engine.dispose();
  });
});

/** Bytes of an expert, as above. */
function fullBytes(bits: number): number {
  const planes = bits - 2;
  return (WEIGHTS * bits) / 8 + 8 * ROWS + 4 * (2 * 64 * 2 + 192) + 4 * (2 * 64 + 192) * planes;
}

test('a damaged plane is found, and only by those who read it', async () => {
  const [name, records] = Object.entries(files).find(([each]) => each.endsWith('.bin'))!;
  const damaged = Uint8Array.from(records);
  damaged[fullBytes(3) + 5]! ^= 1; // in plane 4 of the first expert
  const folder = memoryFolder({ ...files, [name]: damaged });
  expect(await logitsOf(folder, 3)).toEqual(await logitsOf(memoryFolder(files), 3));
  await expect(logitsOf(folder)).rejects.toMatchObject({ code: 'integrity' });
});

test('models without planes are refused', async () => {
  const other = await packedModel(floats, 'q4_0');
  await expect(logitsOf(memoryFolder(other), 2)).rejects.toThrow(/experts of .* are q4_0; .*nested4/);
  await expect(logitsOf(floats, 2)).rejects.toMatchObject({ code: 'bad-input' });
});
