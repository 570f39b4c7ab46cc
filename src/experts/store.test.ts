import { expect, test } from 'vitest';
import { formatsText, packRecord, recordLayout, scalesOffsetBytes, unpackRecord } from '../weights/record.ts';
import { largestPoolBytes, locate, mostSlots, planPools, poolsPerLayer } from './pools.ts';

test('layers share a pool while they fit one binding', () => {
  const plan = planPools({ layers: 5, unitsPerLayer: 8, recordBytes: 256 }, 256 * 8 * 2);
  expect(plan).toMatchObject({ poolsPerLayer: 1, layersPerGroup: 2, poolSlots: [16, 16, 8] });
});

test('a layer that does not fit one binding takes four', () => {
  const plan = planPools({ layers: 2, unitsPerLayer: 10, recordBytes: 1024 }, 4096);
  expect(plan).toMatchObject({ poolsPerLayer: 4, slotsPerPool: 3, poolSlots: [3, 3, 3, 1, 3, 3, 3, 1] });
});

test('a layer that does not fit four bindings is refused with both numbers', () => {
  expect(() => planPools({ layers: 1, unitsPerLayer: 17, recordBytes: 1024 }, 4096)).toThrow(
    /17408 bytes.*4 x 4096/,
  );
});

const MIB = 2 ** 20;
const glu = (format: 'q4_0' | 'q8_0' | 'bf16', hidden: number, width: number) =>
  recordLayout(format, { gate: [width, hidden], up: [width, hidden], down: [hidden, width] }).sizeBytes;

/** Layers of real models: what they take, how many buffers their kernels bind, and the largest of these. */
test.each([
  ['Qwen3-30B-A3B q4_0', { layers: 48, unitsPerLayer: 128, recordBytes: glu('q4_0', 2048, 768) }, 1, 512],
  ['Qwen3-30B-A3B q8_0', { layers: 48, unitsPerLayer: 128, recordBytes: glu('q8_0', 2048, 768) }, 4, 512],
  ['Qwen3-30B-A3B bf16', { layers: 48, unitsPerLayer: 128, recordBytes: glu('bf16', 2048, 768) }, 4, 512],
  ['gpt-oss-20b q4_0', { layers: 24, unitsPerLayer: 32, recordBytes: glu('q4_0', 2880, 2880) }, 1, 512],
  ['Mixtral-8x7B q4_0', { layers: 32, unitsPerLayer: 8, recordBytes: glu('q4_0', 4096, 14_336) }, 4, 512],
  ['Mixtral-8x7B bf16', { layers: 32, unitsPerLayer: 8, recordBytes: glu('bf16', 4096, 14_336) }, 4, 680],
] as const)('%s: no pool is larger than it must be, whatever the budget', (_name, shape, pools, mostMiB) => {
  const { layers, unitsPerLayer, recordBytes } = shape;
  for (const binding of [2 ** 31, 2 ** 32]) {
    expect(poolsPerLayer(shape, binding)).toBe(pools);
    expect(largestPoolBytes(shape, binding)).toBeLessThanOrEqual(mostMiB * MIB);
    for (const places of [2, Math.ceil(unitsPerLayer / 3), unitsPerLayer]) {
      const reserved = Math.min(2, unitsPerLayer - places);
      const plan = planPools(shape, binding, { places, reserved });
      expect(plan.poolsPerLayer).toBe(pools);
      expect(Math.max(...plan.poolSlots) * recordBytes).toBeLessThanOrEqual(mostMiB * MIB);
      expect(plan.poolSlots.reduce((sum, slots) => sum + slots, 0)).toBeGreaterThanOrEqual(layers * places);
      for (let slot = 0; slot < places + reserved; slot += 1) {
        const { pool, index } = locate(plan, 0, slot);
        expect(index).toBeLessThan(plan.poolSlots[pool] ?? 0);
      }
    }
  }
});

test('pools grow past 512 MiB before a layer is refused', () => {
  const shape = { layers: 1, unitsPerLayer: 8, recordBytes: 600 * MIB };
  expect(planPools(shape, 2 ** 31).poolSlots).toEqual([2, 2, 2, 2]);
  expect(mostSlots(shape, 2 ** 31)).toBe(12);
});

test('records give back their matrices, quantised or not', () => {
  const shapes = { gate: [3, 32], up: [3, 32], down: [32, 32] } as const;
  const plain = recordLayout('f32', shapes);
  const values = (rows: number, seed: number) =>
    Float32Array.from({ length: rows * 32 }, (_, i) => Math.sin(seed + i));
  const matrices = { gate: values(3, 1), up: values(3, 2), down: values(32, 3) };
  const bytes = Object.fromEntries(
    Object.entries(matrices).map(([name, matrix]) => [name, new Uint8Array(matrix.buffer)]),
  );
  expect(unpackRecord(plain, packRecord(plain, bytes))).toEqual(matrices);
  for (const { offsetBytes } of Object.values(plain.parts)) expect(offsetBytes % 256).toBe(0);
  const quantised = recordLayout('q4_0', shapes);
  expect(quantised.sizeBytes).toBeLessThan(plain.sizeBytes);
  const down = quantised.parts['down']!;
  expect(scalesOffsetBytes(down)).toBe(down.offsetBytes + 512);
  const mixed = recordLayout({ gate: 'q4_0', up: 'q4_0', down: 'f32' }, shapes);
  expect(formatsText(mixed)).toBe('gate q4_0, up q4_0, down f32');
  expect(scalesOffsetBytes(mixed.parts['down']!)).toBe(0);
});
