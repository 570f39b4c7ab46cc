import { expect, test } from 'vitest';
import { packRecord, recordLayout, unpackRecord } from './record.ts';
import { planPools } from './store.ts';

const layout = (sizeBytes: number) => ({ format: 'f32', parts: {}, sizeBytes }) as const;

test('layers share a pool while they fit one binding', () => {
  const plan = planPools({ layers: 5, unitsPerLayer: 8, layout: layout(256) }, 256 * 8 * 2);
  expect(plan).toMatchObject({ poolsPerLayer: 1, layersPerGroup: 2, poolSlots: [16, 16, 8] });
});

test('a layer that does not fit one binding takes four', () => {
  const plan = planPools({ layers: 2, unitsPerLayer: 10, layout: layout(1024) }, 4096);
  expect(plan).toMatchObject({ poolsPerLayer: 4, slotsPerPool: 3, poolSlots: [3, 3, 3, 1, 3, 3, 3, 1] });
});

test('a layer that does not fit four bindings is refused with both numbers', () => {
  expect(() => planPools({ layers: 1, unitsPerLayer: 17, layout: layout(1024) }, 4096)).toThrow(
    /17408 bytes.*4 x 4096/,
  );
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
  expect(quantised.parts['down']?.scalesOffsetBytes).toBe((quantised.parts['down']?.offsetBytes ?? 0) + 512);
});
