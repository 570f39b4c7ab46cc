import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../gpu/device.ts';
import { matrixBindingBytes, weightParts } from './weight-parts.ts';

const MIB = 2 ** 20;
const head = { rows: 151_936, exact: false, name: 'head' };

/** Bytes of rows of 2048 columns. */
const q40 = (rows: number) => (rows * 2048 * 18) / 32;
const bf16 = (rows: number) => rows * 2048 * 2;

test('matrices that fit are not divided, and exact weights never are', () => {
  expect(weightParts(head, q40, 175_030_272)).toEqual([{ firstRow: 0, rows: 151_936 }]);
  expect(weightParts({ ...head, exact: true }, bf16, 1)).toHaveLength(1);
});

test.each([
  ['q4_0', q40, 2],
  ['bf16', bf16, 5],
] as const)(
  'a %s head of 151,936 x 2048 is divided into few parts of the guaranteed size',
  (_name, sizeOf, count) => {
    const parts = weightParts(head, sizeOf, matrixBindingBytes(DEFAULT_LIMITS));
    expect(parts).toHaveLength(count);
    let next = 0;
    for (const { firstRow, rows } of parts) {
      expect(firstRow).toBe(next);
      expect(sizeOf(rows)).toBeLessThanOrEqual(128 * MIB);
      next += rows;
    }
    expect(next).toBe(head.rows);
  },
);

test('a device opened for the largest part divides as the plan did', () => {
  for (const most of [100, 128, 200, 256, 300].map((size) => size * MIB)) {
    const planned = weightParts(head, bf16, most);
    const largest = Math.max(...planned.map(({ rows }) => bf16(rows)));
    expect(weightParts(head, bf16, largest)).toEqual(planned);
  }
});

test('no binding exceeds 512 MiB, whatever the device allows', () => {
  const large = { ...DEFAULT_LIMITS, maxBindingBytes: 2 ** 32, maxBufferSizeBytes: 2 ** 33 };
  expect(matrixBindingBytes(large)).toBe(512 * MIB);
});

test.each([
  ['8 KiB', 2 ** 13, 1000, '64 rows, 262144 bytes; this device binds 8192'],
  ['16 KiB', 2 ** 14, 1000, '64 rows, 262144 bytes; this device binds 16384'],
  ['16 KiB', 2 ** 14, 10, '10 rows, 40960 bytes; this device binds 16384'],
])('a device that binds %s is too small for the smallest part', (_name, mostBytes, rows, says) => {
  const cut = () => weightParts({ rows, exact: false, name: 'head' }, (count) => count * 4096, mostBytes);
  expect(cut).toThrow(
    expect.objectContaining({
      code: 'limit-too-small',
      message: expect.stringContaining(`head needs bindings of ${says}`),
    }),
  );
});
