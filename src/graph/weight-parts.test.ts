import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../gpu/device.ts';
import { matrixBindingBytes, weightParts } from './weight-parts.ts';

const MIB = 2 ** 20;
const head = { rows: 151_936, exact: false, name: 'head' };

/** Bytes of rows of 2048 columns. */
const q40 = (rows: number) => (rows * 2048 * 18) / 32;
const bf16 = (rows: number) => rows * 2048 * 2;

test('matrices that fit stay whole, and so do exact weights of any size', () => {
  expect(weightParts(head, q40, 175_030_272)).toEqual([{ firstRow: 0, rows: 151_936 }]);
  expect(weightParts({ ...head, exact: true }, bf16, 1)).toHaveLength(1);
});

test.each([
  ['q4_0', q40, 2],
  ['bf16', bf16, 5],
] as const)('a %s head of 151,936 x 2048 lies in few parts of the portable size', (_name, sizeOf, count) => {
  const parts = weightParts(head, sizeOf, matrixBindingBytes(DEFAULT_LIMITS));
  expect(parts).toHaveLength(count);
  let next = 0;
  for (const { firstRow, rows } of parts) {
    expect(firstRow).toBe(next);
    expect(sizeOf(rows)).toBeLessThanOrEqual(128 * MIB);
    next += rows;
  }
  expect(next).toBe(head.rows);
});

test('a device that was opened for the largest part cuts where the plan did', () => {
  for (const most of [100, 128, 200, 256, 300].map((size) => size * MIB)) {
    const planned = weightParts(head, bf16, most);
    const largest = Math.max(...planned.map(({ rows }) => bf16(rows)));
    expect(weightParts(head, bf16, largest)).toEqual(planned);
  }
});

test('no matrix takes more than 512 MiB at once, whatever a device allows', () => {
  const large = { ...DEFAULT_LIMITS, maxBindingBytes: 2 ** 32, maxBufferSizeBytes: 2 ** 33 };
  expect(matrixBindingBytes(large)).toBe(512 * MIB);
});

test('a device that binds less than the smallest part', () => {
  const sizeOf = (rows: number) => rows * 4096;
  expect(() => weightParts({ rows: 1000, exact: false, name: 'head' }, sizeOf, 2 ** 14)).toThrow(
    expect.objectContaining({
      code: 'limit-too-small',
      message: expect.stringContaining('64 rows of head take 262144 bytes, this device binds 16384'),
    }),
  );
});
